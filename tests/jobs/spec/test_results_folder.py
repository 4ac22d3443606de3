"""The layout of a job's results."""

from __future__ import annotations

from pathlib import Path

from jobs.spec.results_folder import ResultsFolder


def test_the_layout_is_as_documented():
    results = ResultsFolder(Path("j"))
    assert (results.model, results.model_archive) == (Path("j/model"), Path("j/model.tar.gz"))
    assert (results.output, results.output_archive) == (Path("j/output"), Path("j/output.tar.gz"))
    assert (results.evaluation, results.scores) == (Path("j/evaluation"), Path("j/evaluation/evaluation.json"))
    assert results.report == Path("j/evaluation/report.html")
    assert (results.log, results.hosts) == (Path("j/log.txt"), Path("j/ml"))
