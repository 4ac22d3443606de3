import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as reference
from PIL import Image
from wcwidth import wcswidth

import evaluation
from container import job_script
from model.attributes import Attribute
from model.errors import InputError
from model.labels import Scheme, mask_scheme

KOREAN = Scheme((Attribute("tag", ("착용샷", "설치후배치컷", "top")),))


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    """No directories but those that a test names."""
    for name in ("SM_GROUND_TRUTH_DIR", "SM_OUTPUT_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path / "opt"))
    monkeypatch.chdir(tmp_path)


def write_answers(folder: Path, scheme: Scheme, names: list[str], answers: np.ndarray, seed: int = 0) -> None:
    """output.csv in another order than the truth's, probabilities.csv and labels.json."""
    folder.mkdir()
    order = np.random.default_rng(seed).permutation(len(names))
    table = pd.DataFrame({"ImageID": names, "ans": [str(a) if a >= 0 else "" for a in answers]})
    table.iloc[order].to_csv(folder / "output.csv", index=False)
    probabilities = pd.DataFrame(
        np.random.default_rng(seed).dirichlet(np.ones(scheme.num_classes), len(names)), columns=scheme.class_names
    )
    probabilities.insert(0, "ImageID", names)
    probabilities.to_csv(folder / "probabilities.csv", index=False)
    (folder / "labels.json").write_text(json.dumps(scheme.to_dict(), ensure_ascii=False), encoding="utf-8")


def made(tmp_path: Path, scheme: Scheme, pictures: int = 90, grouped: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Writes gt/ and out/; the last class has no image in gt. Returns true and predicted classes."""
    generator = np.random.default_rng(1)
    names = [f"{i:03}.jpg" for i in range(pictures)]
    truth = generator.integers(scheme.num_classes - 1, size=(2, pictures)).max(axis=0)  # the first is not the commonest
    answers = np.where(generator.random(pictures) < 0.6, truth, generator.integers(-1, scheme.num_classes, pictures))
    table = pd.DataFrame({"ImageID": names, "ans": truth, "person": np.arange(pictures) // 3})
    (tmp_path / "gt").mkdir()
    (table if grouped else table.drop(columns="person")).to_csv(tmp_path / "gt" / "gt.csv", index=False)
    write_answers(tmp_path / "out", scheme, names, answers)
    return truth, answers


def run(*flags: str, resamples: int = 100) -> int:
    return evaluation.main(
        ["--ground_truth_dir", "gt", "--output_data_dir", "out", "--resamples", str(resamples), *flags]
    )


def test_the_files_are_written_even_if_stdout_is_closed(tmp_path):
    made(tmp_path, mask_scheme())
    reader, writer = os.pipe()
    os.close(reader)
    flags = ["--ground_truth_dir", "gt", "--output_data_dir", "out", "--resamples", "10"]
    ended = subprocess.run([sys.executable, evaluation.__file__, *flags], stdout=writer, stderr=writer)
    os.close(writer)
    assert ended.returncode == 0
    assert (
        json.loads((tmp_path / "out" / "evaluation.json").read_text()) and (tmp_path / "out" / "report.html").exists()
    )


def written(folder: str = "out") -> dict:
    def refused(name: str) -> None:
        raise AssertionError(f"evaluation.json has the literal {name}")

    return json.loads((Path(folder) / "evaluation.json").read_text(encoding="utf-8"), parse_constant=refused)


def test_stdout_is_one_line_and_equals_scikit_learns(tmp_path, capsys):
    truth, answers = made(tmp_path, KOREAN)
    assert run() == 0
    out, err = capsys.readouterr()
    f1 = reference.f1_score(truth, answers, labels=range(3), average="macro", zero_division=0)
    expected = {"accuracy": round(reference.accuracy_score(truth, answers), 4), "f1": round(f1, 4)}
    assert out == json.dumps(expected) + "\n"
    assert "the 30 groups of column person" in err
    assert "1 class does not occur in the true labels, so F1 counts as 0 in macro means: top" in err
    assert "which count as wrong" in err


def test_directories_come_from_the_environment(tmp_path, monkeypatch, capsys):
    made(tmp_path, KOREAN)
    monkeypatch.setenv("SM_GROUND_TRUTH_DIR", "gt")
    monkeypatch.setenv("SM_OUTPUT_DATA_DIR", "out")
    assert evaluation.main(["--resamples", "0", "--output", "scores/new"]) == 0
    assert (tmp_path / "scores" / "new" / "evaluation.json").is_file()
    written_files = sorted(entry.name for entry in (tmp_path / "scores" / "new").iterdir())
    assert written_files == ["evaluation.json", "report.html", "suspects.csv"]
    assert not (tmp_path / "out" / "evaluation.json").exists()


@pytest.mark.parametrize("names", [KOREAN.class_names, ["007", "1e3", "top"]])
def test_a_table_of_classes_is_aligned_and_names_stay_text(tmp_path, capsys, names):
    made(tmp_path, Scheme((Attribute("tag", tuple(names)),)))
    run()
    lines = capsys.readouterr().err.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("class "))
    assert [line.split()[0] for line in lines[start + 2 : start + 5]] == names
    assert len({wcswidth(line) for line in lines[start : start + 5]}) == 1


def test_without_groups_images_are_resampled_and_without_resamples_there_are_no_intervals(tmp_path, capsys):
    made(tmp_path, KOREAN, grouped=False)
    run()
    assert (written()["rarebird"]["groups"], written()["rarebird"]["resampled_over"]) == (None, "picture")
    assert "resamples of single images" in capsys.readouterr().err
    run(resamples=0)
    content = written()
    assert content["rarebird"]["macro_f1"]["low"] is content["rarebird"]["macro_f1"]["high"] is None
    assert content["rarebird"]["per_class"]["top"]["f1"] == {"value": 0, "low": None, "high": None}
    assert content["multiclass_classification_metrics"]["accuracy"]["standard_deviation"] == "NaN"
    assert "no intervals" in capsys.readouterr().err


def test_each_attribute_is_scored_and_an_image_without_prediction_is_wrong_in_all(tmp_path, capsys):
    scheme = mask_scheme()
    truth, answers = made(tmp_path, scheme, pictures=200)
    run()
    attributes = written()["rarebird"]["attributes"]
    assert list(attributes) == ["mask", "gender", "age"]
    for name, of_answer in scheme.split(answers).items():
        of_truth, of_answer = scheme.split(truth)[name], np.where(answers < 0, -1, of_answer)
        classes = range(len(scheme.attribute(name).values))
        f1 = reference.f1_score(of_truth, of_answer, labels=classes, average="macro", zero_division=0)
        assert attributes[name]["macro_f1"]["value"] == pytest.approx(f1)
        assert attributes[name]["accuracy"]["value"] == pytest.approx((of_truth == of_answer).mean())
        assert list(attributes[name]["per_class"]) == list(scheme.attribute(name).values)
    err = capsys.readouterr().err
    assert "none/female/60 and over" in err and "\nage " in err


def test_compare_reports_the_paired_difference(tmp_path, capsys):
    truth, answers = made(tmp_path, KOREAN)
    worse = np.where(np.arange(90) % 3, answers, -1)
    write_answers(tmp_path / "before", KOREAN, [f"{i:03}.jpg" for i in range(90)], worse, seed=2)
    run("--compare", "before")
    found = written()["rarebird"]["compare"]
    assert found.keys() == {"accuracy", "macro_f1", "gmean_f1", "balanced_accuracy"}
    assert found["accuracy"]["value"] == pytest.approx((answers == truth).mean() - (worse == truth).mean())
    assert 0 < found["accuracy"]["low"] < found["accuracy"]["value"] < found["accuracy"]["high"]
    assert "better" in capsys.readouterr().err
    run("--compare", "out/output.csv")
    assert written()["rarebird"]["compare"]["macro_f1"] == {"value": 0, "low": 0, "high": 0}
    assert "no clear difference" in capsys.readouterr().err


def test_intervals_follow_confidence_and_seed(tmp_path):
    made(tmp_path, KOREAN)
    found = []
    for flags in ((), (), ("--seed", "5"), ("--confidence", "0.5")):
        run(*flags)
        found.append(written()["rarebird"]["macro_f1"])
    assert found[0] == found[1] != found[2]
    assert found[0]["low"] < found[3]["low"] < found[3]["high"] < found[0]["high"]


def test_the_geometric_mean_is_over_chosen_classes(tmp_path):
    truth, answers = made(tmp_path, KOREAN)
    run()
    assert written()["rarebird"]["gmean_f1"]["value"] == 0  # top has no truth
    run("--gmean_classes", "착용샷", "1")
    f1 = reference.f1_score(truth, answers, labels=range(2), average=None)
    assert written()["rarebird"]["gmean_f1"]["value"] == pytest.approx((f1[0] * f1[1]) ** 0.5)
    assert written()["rarebird"]["gmean_classes"] == ["착용샷", "설치후배치컷"]
    with pytest.raises(InputError, match=r"gmean_classes: class = '착용삿'.*nearest: 착용샷"):
        run("--gmean_classes", "착용삿")


def test_a_named_file_of_predictions_is_read_from_the_output_directory_with_its_probabilities(tmp_path):
    truth, _ = made(tmp_path, KOREAN)
    names = [f"{i:03}.jpg" for i in range(90)]
    table = pd.DataFrame({"image_name": names, "y_pred": truth})
    table.to_csv(tmp_path / "out" / "tta.csv", index=False)
    sure = pd.DataFrame(np.eye(3)[truth], columns=KOREAN.class_names)
    sure.insert(0, "image_name", names)
    sure.to_csv(tmp_path / "out" / "tta.probabilities.csv", index=False)
    run("--answers", "tta.csv")
    assert written()["rarebird"]["accuracy"]["value"] == 1
    assert written()["rarebird"]["calibration_error"]["value"] == 0
    run("--answers", "out/output.csv")
    assert written()["rarebird"]["accuracy"]["value"] < 1


def test_the_page_is_next_to_the_json_file_and_shows_the_images_that_are_given(tmp_path, capsys):
    made(tmp_path, KOREAN)
    run()
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    accuracy = written()["rarebird"]["accuracy"]
    assert page.startswith("<!DOCTYPE html>") and "착용샷" in page and "data:image" not in page
    assert f"{accuracy['low']:.4f} to {accuracy['high']:.4f}" in page and "--pictures DIR" in page
    (tmp_path / "photos" / "images").mkdir(parents=True)
    for name in ("003.jpg", "004.jpg", "005.jpg", "006.jpg"):
        Image.new("RGB", (20, 30), "teal").save(tmp_path / "photos" / "images" / name)
    run("--pictures", "photos", "--compare", "out/output.csv")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "data:image/jpeg" in page and "is not clearly different from that of output.csv" in page
    assert "report.html" in capsys.readouterr().err


def test_a_wrong_folder_of_images_is_reported_before_anything_is_written(tmp_path):
    made(tmp_path, KOREAN)
    (tmp_path / "photos").mkdir()
    with pytest.raises(InputError, match="no such folder; nearest: photos"):
        run("--pictures", "photo")
    with pytest.raises(InputError, match="none of the 90 images is in this folder"):
        run("--pictures", "photos")
    assert not (tmp_path / "out" / "report.html").exists()


def as_job(monkeypatch, *flags: str) -> int:
    """The exit code, as a process would end with it."""
    monkeypatch.setattr(sys, "argv", ["evaluation.py", *flags])
    monkeypatch.setattr(job_script, "start_log", lambda stream: None)  # it would take the log from the tests after this
    with pytest.raises(SystemExit) as ended:
        job_script.run(evaluation.main, log_to=sys.stderr)
    return ended.value.code


def test_a_duplicate_name_ends_with_2_and_writes_nothing(tmp_path, monkeypatch, capsys):
    made(tmp_path, KOREAN)
    with (tmp_path / "out" / "output.csv").open("a") as table:
        table.write("004.jpg,1\nextra.jpg,없음\n")
    assert as_job(monkeypatch, "--ground_truth_dir", "gt", "--output_data_dir", "out") == 2
    out, err = capsys.readouterr()
    assert out == "" and "'004.jpg'" in err and "'없음'" in err and "Traceback" not in err
    assert not (tmp_path / "out" / "evaluation.json").exists()


def test_a_missing_truth_ends_with_2_and_names_the_variable(tmp_path, monkeypatch, capsys):
    made(tmp_path, KOREAN)
    assert as_job(monkeypatch, "--output_data_dir", "out") == 2
    assert "SM_GROUND_TRUTH_DIR" in capsys.readouterr().err
    assert as_job(monkeypatch, "--ground_truth_dir", "gt", "--output_data_dir", "nowhere") == 2
    assert "nowhere/output.csv: no such file" in capsys.readouterr().err


def test_help_is_a_manual(capsys):
    with pytest.raises(SystemExit) as ended:
        evaluation.main(["--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    for word in ("SM_GROUND_TRUTH_DIR", "python evaluation.py", "--resamples", "--pictures", "report.html"):
        assert word in out


def test_the_real_faces_are_scored_over_persons(shared, tmp_path, capsys):
    """Answers that are the truth, of a table with 2,800 images of 400 persons."""
    truth = shared / "data" / "faces" / "gt"
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "output.csv").write_bytes((truth / "gt.csv").read_bytes())
    assert evaluation.main(["--ground_truth_dir", str(truth), "--output_data_dir", "out"]) == 0
    assert capsys.readouterr().out == '{"accuracy": 1.0, "f1": 1.0}\n'
    block = written()["rarebird"]
    assert (block["pictures"], block["groups"], len(block["per_class"])) == (2800, 400, 18)


@pytest.fixture
def answers_of_masks(tmp_path):
    """Predictions of a model for the attribute mask of a channel with mask, gender and age."""
    scheme = mask_scheme()
    labels = {**scheme.only("mask").to_dict(), "channel": scheme.to_dict()}
    (tmp_path / "labels.json").write_text(json.dumps(labels), encoding="utf-8")
    (tmp_path / "output.csv").write_text("ImageID,ans\na,0\nb,1\nc,2\n")

    def score(truth: str) -> float:
        (tmp_path / "gt.csv").write_text(f"ImageID,ans\n{truth}")
        where = ["--ground_truth_dir", str(tmp_path), "--output_data_dir", str(tmp_path), "--resamples", "0"]
        assert evaluation.main(where) == 0
        return json.loads((tmp_path / "evaluation.json").read_text())["rarebird"]["accuracy"]["value"]

    return score


def test_one_attribute_is_scored_by_the_joint_truth_or_by_its_own(answers_of_masks, capsys):
    assert answers_of_masks("a,4\nb,11\nc,17\n") == 1
    assert "only mask is used" in capsys.readouterr().err
    assert answers_of_masks(
        "a,worn/male/under 30\nb,incorrect/female/60 and over\nc,worn/male/under 30\n"
    ) == pytest.approx(2 / 3)
    assert answers_of_masks("a,0\nb,1\nc,1\n") == pytest.approx(2 / 3)
    assert "read as values of mask" in capsys.readouterr().err
    assert answers_of_masks("a,worn\nb,incorrect\nc,none\n") == 1


def test_it_is_written_to_the_output_directory(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "output.csv").write_text("ImageID,ans\na,0\n")
    (tmp_path / "gt.csv").write_text("ImageID,ans\na,0\n")
    monkeypatch.setenv("SM_OUTPUT_DATA_DIR", str(tmp_path / "output"))
    monkeypatch.setenv("SM_GROUND_TRUTH_DIR", str(tmp_path))
    assert evaluation.main(["--answers", str(tmp_path / "elsewhere" / "output.csv")]) == 0
    assert (tmp_path / "output" / "evaluation.json").is_file()


def test_a_class_whose_name_has_spaces_may_be_chosen(answers_of_masks, tmp_path):
    labels = mask_scheme().to_dict()
    (tmp_path / "labels.json").write_text(json.dumps(labels), encoding="utf-8")
    (tmp_path / "gt.csv").write_text("ImageID,ans\na,0\n")
    where = ["--ground_truth_dir", str(tmp_path), "--output_data_dir", str(tmp_path), "--resamples", "0"]
    assert evaluation.main([*where, "--gmean_classes", "worn/male/under 30"]) == 0
    found = json.loads((tmp_path / "evaluation.json").read_text())["rarebird"]
    assert found["gmean_classes"] == ["worn/male/under 30"] and found["gmean_f1"]["value"] == 1


def test_a_labelled_folder_can_be_the_truth(tmp_path, capsys):
    scheme = Scheme((Attribute("label", ("1", "2", "10")),))
    names = [f"{scheme.class_names[row % 3]}/{row}.png" for row in range(30)]
    for name in names:
        (tmp_path / "test" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 20), "teal").save(tmp_path / "test" / name)
    write_answers(tmp_path / "out", scheme, names, np.arange(30) % 3)
    where = ["--ground_truth_dir", "test", "--output_data_dir", "out", "--resamples", "0"]
    assert evaluation.main(where) == 0
    assert json.loads(capsys.readouterr().out) == {"accuracy": 1.0, "f1": 1.0}
    assert "data:image/jpeg" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for thumbnails, kinds in (("none", set()), ("blurred", {"png"})):
        assert evaluation.main([*where, "--thumbnails", thumbnails]) == 0
        page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
        assert set(re.findall("data:image/([a-z]+)", page)) == kinds
