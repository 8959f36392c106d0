-- Refuses cards asked for without their type: "gpu:4" would run past a limit on gres/gpu:<type>,
-- because Slurm counts such cards only after they were handed out (seen with 22.05.8).
--
-- Install beside slurm.conf, with JobSubmitPlugins=lua.

local REQUESTS = { "tres_per_node", "tres_per_job", "tres_per_task", "tres_per_socket" }

-- One request reads "gres:gpu:<type>:<count>" or "gpu:<type>"; a type starts with a letter.
local function untyped(request)
  for one in string.gmatch(request, "[^,]+") do
    if string.match(one, "gpu") and not string.match(one, "gpu:%a[%w_%-%.]*") then
      return one
    end
  end
  return nil
end

local function refusal(job)
  for _, field in ipairs(REQUESTS) do
    local found = job[field] and untyped(job[field])
    if found then
      return string.format("name the card type, for example --gres=gpu:h20:8 (got %s)", found)
    end
  end
  return nil
end

function slurm_job_submit(job, partitions, uid)
  local reason = refusal(job)
  if reason then
    slurm.log_user(reason)
    return slurm.ERROR
  end
  return slurm.SUCCESS
end

function slurm_job_modify(job, record, partitions, uid)
  local reason = refusal(job)
  if reason then
    slurm.log_user(reason)
    return slurm.ERROR
  end
  return slurm.SUCCESS
end

return slurm.SUCCESS
