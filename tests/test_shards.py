"""Training and inference from shards are those from the loose files."""

from collections.abc import Callable
from pathlib import Path

from jobs.__main__ import VERBS
from model.verbs import run_verb


def test_shards_end_with_the_same_weights_and_answers(
    faces: Path, run_train: Callable[..., Path], tmp_path: Path
) -> None:
    import inference

    answers = []
    weights = []
    for name, pack in (("loose", False), ("shards", True)):
        folders = {part: faces / part for part in ("train", "eval")}
        if pack:
            for part, folder in folders.items():
                folders[part] = tmp_path / f"{part}-shards"
                assert run_verb("jobs", VERBS, ["shards", str(folder), "--output", str(folders[part])]) == 0
                assert not list(folders[part].rglob("*.jpg")) and list(folders[part].glob("*.tar"))
        model = run_train(folders["train"], name=name)
        weights.append((model / "model.safetensors").read_bytes())
        output = tmp_path / f"answers-{name}"
        flags = ["--eval_dir", str(folders["eval"]), "--model_dir", str(model), "--output_data_dir", str(output)]
        assert inference.main([*flags, "--num_workers", "0", "--device", "cpu", "--precision", "fp32"]) == 0
        answers.append((output / "probabilities.csv").read_bytes())
    assert weights[0] == weights[1]
    assert answers[0] == answers[1]
