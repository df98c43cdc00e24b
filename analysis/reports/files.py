"""Everything that is rebuilt from a run directory: verdict.json, report.png, report.html."""

import json
import uuid
from collections.abc import Sequence
from pathlib import Path

from tidemark.analysis.figures import comparison, style
from tidemark.analysis.figures.comparison_figure import draw_comparison
from tidemark.analysis.figures.run_figure import draw_run
from tidemark.analysis.reports import html
from tidemark.analysis.run import Run, load_run
from tidemark.analysis.verdict.judge import judge
from tidemark.analysis.verdict.model import Verdict
from tidemark.analysis.verdict.summary import Summary, summarise
from tidemark.record.errors import TidemarkError
from tidemark.record.layout import REPORT_HTML, REPORT_PNG, VERDICT_JSON

CONTROL_STRATEGY = "shared"
"""In a comparison, the run of this strategy is what the others are measured against."""


class ReportError(TidemarkError):
    """A report cannot be written; the message says what, where, and what to do."""


def write_run_report(path: Path, control: Path | None = None) -> Verdict:
    """Judge a run and write verdict.json, report.png and report.html into its directory.

    Args:
        path: The run directory.
        control: The directory of a run of the same load against a service known to be clean.

    Returns:
        The verdict.

    Raises:
        UnusableRunError: A run directory cannot be read.
        ReportError: A file cannot be written.
    """
    run = load_run(Path(path))
    verdict = judge(run, load_run(Path(control)) if control else None)
    _write_report(run, verdict)
    return verdict


def write_comparison(run_paths: Sequence[Path], out_dir: Path) -> list[Summary]:
    """Write the report of each run, and report.png and report.html of all of them together.

    Args:
        run_paths: The run directories, in the order in which they are to be listed.
        out_dir: Where the report of the comparison goes; it is made if need be.

    Returns:
        The rows of the comparison table, in the same order.

    Raises:
        UnusableRunError: A run directory cannot be read.
        ReportError: There is no run to compare, or a file cannot be written.
    """
    runs = [load_run(Path(path)) for path in run_paths]
    if not runs:
        raise ReportError("there is no run to compare: name at least one run directory")
    judged = judge_together(runs)
    pictures = [_write_report(run, verdict) for run, verdict in judged]
    picture = style.png(draw_comparison(judged))
    title = comparison.headline(comparison.entries(judged))
    out_dir = Path(out_dir)
    _make_directory(out_dir)
    _replace(out_dir / REPORT_PNG, picture)
    page = html.render_comparison(judged, title, picture, pictures)
    _replace(out_dir / REPORT_HTML, page.encode())
    return [summarise(run, verdict) for run, verdict in judged]


def judge_together(runs: Sequence[Run]) -> list[tuple[Run, Verdict]]:
    """Judge runs of a comparison: growth beyond that of the `shared` one, where there is one."""
    control = next((run for run in runs if run.strategy == CONTROL_STRATEGY), None)
    return [(run, judge(run, None if run is control else control)) for run in runs]


def _write_report(run: Run, verdict: Verdict) -> bytes:
    """Write the files of one run; return its picture."""
    picture = style.png(draw_run(run, verdict))
    text = json.dumps(verdict.to_json(), indent=2, ensure_ascii=False, allow_nan=False)
    _replace(run.path / VERDICT_JSON, f"{text}\n".encode())
    _replace(run.path / REPORT_PNG, picture)
    _replace(run.path / REPORT_HTML, html.render_run(run, verdict, picture).encode())
    return picture


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReportError(
            f"{path}: cannot be made ({error.strerror}); choose another folder"
        ) from error


def _replace(path: Path, content: bytes) -> None:
    """Write a file as a whole: whoever reads it sees the old one or the new one."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ReportError(
            f"{path}: cannot be written ({error.strerror}); check permissions and space"
        ) from error
