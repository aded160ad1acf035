"""What the library must never do: run code from files, leave its directory, fetch unasked, tell secrets."""

import ast
import json
from pathlib import Path

import pytest

import if_circuits
from if_circuits.monitor.guard import LOOPBACK
from if_circuits.study import StudyConfig
from if_circuits.study.versions import versions

ROOT = Path(__file__).parents[1]
SOURCES = [*ROOT.glob("if_circuits/**/*.py"), *ROOT.glob("analyses/**/*.py"), *ROOT.glob("examples/*.py")]
CODE_FROM_FILES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
NETWORK = {"requests", "urllib.request", "http", "socket", "huggingface_hub", "ftplib", "aiohttp", "httpx"}
NETWORK |= {"fsspec", "s3fs"}


def imported(tree: ast.AST) -> set[str]:
    """The modules that a module imports anywhere, and their top-level packages."""
    nodes = list(ast.walk(tree))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return names | {name.split(".")[0] for name in names}


def calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


@pytest.fixture(scope="module")
def modules() -> dict[Path, ast.AST]:
    found = {path: ast.parse(path.read_text("utf-8")) for path in SOURCES}
    assert len(found) > 100
    return found


def test_nothing_reads_or_writes_pickles(modules: dict[Path, ast.AST]):
    for path, tree in modules.items():
        processes = {"joblib"} if path.name == "processes.py" else set[str]()  # which read no file by it
        assert not imported(tree) & CODE_FROM_FILES - processes, path
        for call in calls(tree):
            name = ast.unparse(call.func)
            assert name not in ("torch.load", "torch.save", "np.save", "eval", "exec"), (path, call.lineno)
            assert not name.endswith(("read_pickle", "to_pickle", "joblib.load", "joblib.dump"))
            allowed = [keyword for keyword in call.keywords if keyword.arg == "allow_pickle"]
            assert not allowed, (path, call.lineno)


def test_remote_code_is_run_only_where_the_caller_says_so(modules: dict[Path, ast.AST]):
    for path, tree in modules.items():
        for call in calls(tree):
            for keyword in call.keywords:
                if keyword.arg == "trust_remote_code":
                    assert ast.unparse(keyword.value) == "trust_remote_code", (path, call.lineno)
    loading = (ROOT / "if_circuits/models/loading.py").read_text("utf-8")
    assert "trust_remote_code: bool = False" in loading


def test_no_module_speaks_to_the_network_itself(modules: dict[Path, ast.AST]):
    """Loaders of others fetch models; one module of ours asks the hub whether a name is there at all, one
    listens, on loopback, and one opens the URLs that a user gives for a study."""
    own = {
        "if_circuits/models/hub.py": {"huggingface_hub"},
        "if_circuits/monitor/serving.py": {"socket"},
        "if_circuits/io/remote.py": {"fsspec"},
    }
    for path, tree in modules.items():
        asked = own.get(path.relative_to(ROOT).as_posix(), set[str]())
        assert imported(tree) & NETWORK == asked, path
    binds = [
        ast.unparse(call.args[0])
        for call in calls(modules[ROOT / "if_circuits/monitor/serving.py"])
        if ast.unparse(call.func).endswith(".bind")
    ]
    assert binds == ["(LOOPBACK, port or 0)"]
    assert LOOPBACK == "127.0.0.1"


def test_no_shell_is_started(modules: dict[Path, ast.AST]):
    for path, tree in modules.items():
        assert "subprocess" not in imported(tree), path
        assert not [c for c in calls(tree) if ast.unparse(c.func) in ("os.system", "os.popen")], path


def test_no_file_of_the_package_is_code_in_disguise():
    kinds = {path.suffix for path in Path(if_circuits.__file__).parent.rglob("*") if path.is_file()}
    assert not kinds & {".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib", ".npy"}


def test_the_record_of_versions_tells_no_secrets(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "hf_do_not_tell")
    text = json.dumps(versions(StudyConfig("if-tiny")))
    assert "hf_do_not_tell" not in text
    assert str(Path.home()) not in text
