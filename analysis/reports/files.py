"""Everything that is rebuilt from a run directory: verdict.json, report.png, report.html."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from tidemark.analysis.figures import entries, style
from tidemark.analysis.figures.charts import Picture, View
from tidemark.analysis.figures.comparison_figure import depict_comparison
from tidemark.analysis.figures.overview_figure import draw_overview
from tidemark.analysis.figures.run_figure import depict_run
from tidemark.analysis.figures.targets_figure import depict_targets
from tidemark.analysis.reports import html, verdict_json
from tidemark.analysis.run import Run, load_run
from tidemark.analysis.verdict.assessment import Assessment, assess, assess_directory
from tidemark.record.directory import write_file
from tidemark.record.errors import TidemarkError
from tidemark.record.layout import REPORT_HTML, REPORT_PNG, VERDICT_JSON


class ReportError(TidemarkError):
    """A report cannot be written; the message says what, where, and what to do."""


def write_run_report(
    path: Path, control: Path | None = None, target: str | None = None
) -> Assessment:
    """Assess a run and write verdict.json, report.png and report.html into its directory.

    Args:
        path: The run directory.
        control: The directory of a run of the same load against a service known to be clean.
        target: The only one of its targets that is asked for; the files go into a folder of its
            own below the run directory (`folder_of`).

    Raises:
        UnusableRunError: A run directory cannot be read, or has no such target.
        ReportError: A file cannot be written.
    """
    assessment = assess_directory(Path(path), target=target, control=control)
    folder = assessment.run.path
    if target is not None:
        folder = folder_of(folder, target)
        _make(folder)
    write_report(assessment, folder)
    return assessment


def folder_of(path: Path, target: str) -> Path:
    """Where the report of one target of a run goes: `targets/ID`.

    What is no name of a folder is written as in a URL: "/" as %2F.
    """
    name = quote(target, safe=" :@+,=()[]")
    return path / "targets" / (name.replace(".", "%2E") if not name.strip(".") else name)


def write_comparison(
    run_paths: Sequence[Path],
    out_dir: Path,
    baselines: Mapping[str, Path] | None = None,
    *,
    baseline_anyway: bool = False,
) -> list[Assessment]:
    """Write the report of each run, and report.png and report.html of all of them together.

    Args:
        run_paths: The run directories, in the order in which they are to be listed.
        out_dir: Where the report of the comparison goes; it is made if need be.
        baselines: Name of a run -> the directory of an earlier one to compare it with.
        baseline_anyway: Whether they are compared with even if they were not the same test.

    Returns:
        The assessments, in the same order.

    Raises:
        UnusableRunError: A run directory cannot be read.
        ReportError: There is no run to compare, or a file cannot be written.
    """
    runs = [load_run(Path(path)) for path in run_paths]
    if not runs:
        raise ReportError("there is no run to compare: name at least one run directory")
    earlier = {name: load_run(path) for name, path in (baselines or {}).items()}
    assessed = assess_together(runs, earlier, baseline_anyway=baseline_anyway)
    write_comparison_of(assessed, out_dir)
    return assessed


def write_comparison_of(assessed: Sequence[Assessment], out_dir: Path) -> None:
    """The same of runs that have been assessed.

    Raises:
        ReportError: A file cannot be written.
    """
    pictures = [write_report(one, one.run.path) for one in assessed]
    drawn = depict_comparison(assessed)
    picture = style.png(drawn.figure)
    title = entries.headline(entries.entries(assessed))
    out_dir = Path(out_dir)
    _make(out_dir)
    write_file(out_dir / REPORT_PNG, picture)
    page = html.render_comparison(assessed, title, (picture, drawn.view), pictures)
    write_file(out_dir / REPORT_HTML, page.encode())


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"{folder}: cannot be made ({error.strerror}); choose another folder"
        raise ReportError(what) from error


def assess_together(
    runs: Sequence[Run], baselines: Mapping[str, Run], *, baseline_anyway: bool = False
) -> list[Assessment]:
    """Assess runs of a comparison: growth beyond that of the reference, where there is one."""
    reference = next((run for run in runs if run.is_reference), None)
    controls = (None if run is reference else reference for run in runs)
    pairs = zip(runs, controls, strict=True)
    return [
        assess(
            run,
            control=control,
            baseline=baselines.get(run.name),
            baseline_anyway=baseline_anyway,
        )
        for run, control in pairs
    ]


def write_report(assessment: Assessment, path: Path) -> tuple[bytes, View | None]:
    """Write verdict.json, report.png and report.html of a run that has been assessed.

    Of a run whose samples have not been read, what was found on its targets is drawn.

    Args:
        assessment: What there is to say of it.
        path: The folder that they go into.

    Returns:
        The picture, and what it shows.
    """
    drawn = _drawn(assessment)
    picture, view = style.png(drawn.figure), drawn.view
    write_file(path / VERDICT_JSON, verdict_json.render(assessment).encode())
    write_file(path / REPORT_PNG, picture)
    write_file(path / REPORT_HTML, html.render(assessment, picture, view).encode())
    return picture, view


def _drawn(assessment: Assessment) -> Picture:
    if not assessment.targets:
        return depict_run(assessment)
    if len(assessment.run.samples) > 0:
        return depict_targets(assessment)
    return Picture(draw_overview(assessment), None)
