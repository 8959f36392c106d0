"""Serves the small model with llama.cpp's own server, until told to end.

``python -m appliances.runtimes.smallmodel.server --name NAME``; the port comes from ``--port`` or
from ``PORT`` in the environment, the model's file from ``--model`` or is built on first use.
"""

import argparse
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import xllamacpp

HERE = Path(__file__).resolve().parent
SOURCES = ("build.py", "corpus.py", "gguf_file.py")
# Both are modest on purpose: several of these servers share one small machine.
PARALLEL = 4
THREADS = 1
CONTEXT_TOKENS_EACH = 1024
LONGEST_ANSWER_TOKENS = 256


def arguments_of(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Serve the small test model.")
    parser.add_argument("--name", default="small-test-model", help="the name clients ask for")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "0")))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--model", type=Path, default=default_model())
    return parser.parse_args(argv)


def default_model() -> Path:
    """Where the built file is kept: in the user's own cache, named by what it is built from.

    A user without a writable home keeps it in the working folder. A folder that all users share
    would let another user put a file there first.
    """
    sources = b"".join((HERE / name).read_bytes() for name in SOURCES)
    name = f"small-test-model-{hashlib.sha256(sources).hexdigest()[:12]}.gguf"
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ai-centre-portal"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return Path.cwd() / name
    return folder / name if os.access(folder, os.W_OK) else Path.cwd() / name


def ensure_model(path: Path) -> None:
    """Build the file in a process of its own, so that this one never loads the builder's memory."""
    if not path.exists():
        build = [sys.executable, "-m", "appliances.runtimes.smallmodel.build", str(path)]
        subprocess.run(build, check=True, timeout=60)  # noqa: S603 - our own argv list


def parameters(name: str, host: str, port: int, model: Path) -> xllamacpp.CommonParams:
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.model_alias = {name}
    params.hostnames = [host]
    params.port = port
    params.n_parallel = PARALLEL
    params.n_ctx = PARALLEL * CONTEXT_TOKENS_EACH
    params.n_predict = LONGEST_ANSWER_TOKENS
    params.n_batch = CONTEXT_TOKENS_EACH
    params.n_ubatch = CONTEXT_TOKENS_EACH
    params.cpuparams.n_threads = THREADS
    params.cpuparams_batch.n_threads = THREADS
    params.n_threads_http = PARALLEL * 2
    params.n_gpu_layers = 0
    params.embedding = True
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.endpoint_metrics = True
    params.endpoint_slots = False
    params.ui = False
    params.cache_ram_mib = 0
    params.fit_params = False
    params.warmup = False
    params.sampling.temp = 0.2
    params.verbosity = 1
    return params


def main(argv: Sequence[str]) -> int:
    """Serve until TERM or INT; the process then ends at once, since it keeps nothing."""
    arguments = arguments_of(argv)
    ensure_model(arguments.model)
    # Blocked before the server starts its threads, so that the signal comes to sigwait below.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    server = xllamacpp.Server(
        parameters(arguments.name, arguments.host, arguments.port, arguments.model)
    )
    sys.stdout.write(f"listening on {server.listening_address}\n")
    sys.stdout.flush()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    # The engine's own threads may be in the middle of an answer; nothing here needs tidying up.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
