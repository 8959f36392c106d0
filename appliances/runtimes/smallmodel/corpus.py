"""What the small model knows: sentences about the centre, in English and in Chinese.

Shape: words are separated by spaces, in Chinese too, because a word is what the model counts. The
first word of an answer is in no other answer, since it is where the subject is chosen.
``cues`` are words of a question that the sentence answers, beside the words of the sentence itself.
"""

from dataclasses import dataclass
from typing import Final

PUNCTUATION: Final = frozenset(".,?!:;，。？！：；、")

# Words that say nothing about the subject of a question.
_COMMON_ENGLISH: Final = (
    "a the is it in on of to and so do or if how what you are your that this can my any per"
)
_COMMON_CHINESE: Final = (
    "的 和 在 会 我 您 你 你们 请 一个 可以 也 后 时 是 了 吗 什么 怎么 如何 为什么 多少 不"
)
COMMON: Final = frozenset((*_COMMON_ENGLISH.split(), *_COMMON_CHINESE.split()))


@dataclass(frozen=True)
class Line:
    """One answer and the words that call for it."""

    answer: str
    cues: str


ENGLISH: Final[tuple[Line, ...]] = (
    Line(
        "This is a very small test model , so do not rely on what it says .",
        "who model name hello hi test small",
    ),
    Line(
        "I only know a few sentences about the computing centre .",
        "know help about",
    ),
    Line(
        "Reserve cards in the console and you hold them for ten minutes .",
        "reserve reservation book booking cards card hold gpu gpus",
    ),
    Line(
        "An operator approves the reservation before it starts .",
        "approve approval approved operator reservation",
    ),
    Line(
        "Work waits in the queue until enough cards are free .",
        "queue wait waiting pending job jobs why long",
    ),
    Line(
        "Each invoice lists the card hours and tokens that were metered .",
        "invoice invoices bill billing cost costs charge price month hours",
    ),
    Line(
        "Tokens are counted once , also when the client leaves early .",
        "token tokens count counted metered stream",
    ),
    Line(
        "Top up the wallet so that running work is not stopped .",
        "wallet pay payment money balance top credit",
    ),
    Line(
        "Quota limits how many cards one project may use .",
        "quota limit limits project maximum many",
    ),
    Line(
        "Keys are shown once , so store them in a safe place .",
        "key keys api secret lost store",
    ),
    Line(
        "Pick an appliance from the catalogue and deploy it to your project .",
        "deploy deployment appliance catalogue model endpoint start",
    ),
    Line(
        "Drained nodes take no new work until the operator resumes them .",
        "node nodes drain drained broken maintenance fault",
    ),
    Line(
        "Members of the project see its usage on the home page .",
        "usage member members see home page users",
    ),
    Line(
        "Please ask the support team if something does not work .",
        "support help error wrong fail failed problem",
    ),
)

CHINESE: Final[tuple[Line, ...]] = (
    Line(
        "我 是 一个 很小 的 测试 模型 ， 请 不要 依赖 我 的 回答 。",
        "谁 模型 名字 你好 您好 测试",
    ),
    Line(
        "本 模型 只 知道 关于 智算中心 的 几句 话 。",
        "知道 能 介绍 智算中心 关于",
    ),
    Line(
        "打开 控制台 预约 加速卡 ， 系统 会 保留 十 分钟 。",
        "预约 预订 加速卡 保留 卡",
    ),
    Line(
        "审批 由 运营 人员 完成 ， 之后 预约 才 生效 。",
        "审批 批准 生效 运营 预约",
    ),
    Line(
        "空闲 的 卡 不够 时 ， 作业 会 在 队列 中 等待 。",
        "队列 排队 等待 作业 多久",
    ),
    Line(
        "账单 列出 当月 计量 的 卡时 和 词元 。",
        "账单 费用 收费 计费 价格 钱 卡时 发票",
    ),
    Line(
        "每个 词元 只 计量 一次 ， 客户端 提前 断开 也 一样 。",
        "词元 计量 流式 断开",
    ),
    Line(
        "及时 充值 ， 以免 运行 中 的 作业 被 停止 。",
        "充值 余额 钱包 付款 欠费 停止",
    ),
    Line(
        "配额 限制 一个 项目 可以 使用 的 卡 数 。",
        "配额 限制 项目 最多 数量",
    ),
    Line(
        "密钥 只 显示 一次 ， 请 妥善 保管 。",
        "密钥 丢失 保管 接口",
    ),
    Line(
        "从 目录 中 选择 一体机 ， 然后 部署 到 您 的 项目 。",
        "部署 一体机 目录 选择 服务 开通",
    ),
    Line(
        "节点 排空 后 不再 接收 新 作业 ， 直到 恢复 。",
        "节点 排空 故障 维护 恢复",
    ),
    Line(
        "成员 可以 在 首页 查看 项目 用量 。",
        "成员 用量 首页 查看 用户",
    ),
    Line(
        "如果 遇到 问题 ， 可以 联系 技术支持 。",
        "问题 错误 失败 帮助 联系 技术支持 支持",
    ),
)
