"""The commands and their options. Each does its work in a module of its own, imported when it is called."""

from pathlib import Path
from typing import Annotated

import typer

from chatload import __version__
from chatload.console import say

app = typer.Typer(
    name="chatload",
    help="How many dialogs and operators does a bank's chat platform carry,"
    " and does it lose, repeat or misdeliver a message?",
    epilog="Start with: chatload run smoke, then chatload run tbank.",
    rich_markup_mode=None,  # plain help comes in half the time
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
scenarios = typer.Typer(
    help="The scenarios: list, explain, check, begin or fit one.",
    rich_markup_mode=None,
    invoke_without_command=True,
    no_args_is_help=False,
)
app.add_typer(scenarios, name="scenarios")

RunDirectory = Annotated[Path, typer.Argument(metavar="DIR", help="The directory that `chatload run` printed.")]
Name = Annotated[str, typer.Argument(metavar="SCENARIO", help="A scenario's name, or the path of a TOML file.")]


def _show_version(asked: bool) -> None:
    if asked:
        say(f"chatload {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Options before the command; without a command, the help and the exit code of a mistake."""
    if context.invoked_subcommand is None:
        say(context.get_help())
        raise typer.Exit(2)


@app.command(
    epilog="""\b
    Examples:
      chatload run tbank
      chatload run tbank --load 2 --slo 'deliver_in p99 < 80 ms'
      chatload run tbank --part day --speed 600
      chatload run tbank --dry-run"""
)
def run(  # noqa: PLR0913, PLR0917 - one parameter an option
    scenario: Name,
    part: Annotated[
        str, typer.Option(help="peak: the peak hour; day: the whole day; surge: the peak with the scenario's [surge].")
    ] = "peak",
    target: Annotated[
        str,
        typer.Option(
            help="What is tested; embedded: the reference core, started for the run; null: nothing, which shows"
            " what the generator itself adds and how much it can send."
        ),
    ] = "embedded",
    load: Annotated[float, typer.Option(help="Multiplies arrivals and operators: more at once.")] = 1.0,
    speed: Annotated[
        float | None, typer.Option(help="Compresses time: as many at once, faster. Default: the scenario's.")
    ] = None,
    duration: Annotated[
        str | None, typer.Option(help='Wall time in which dialogs start, like "90s". Default: the whole part.')
    ] = None,
    operators: Annotated[
        int | None,
        typer.Option(
            help="All operators; shifts and breaks say who is on duty. Default: the scenario's times the load."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed is another plan. Default: the scenario's.")] = None,
    ramp: Annotated[
        str | None, typer.Option(help='Wall time in which the dialogs open at the start are introduced, like "10s".')
    ] = None,
    slo: Annotated[
        list[str] | None,
        typer.Option(metavar="EXPR", help="An objective; overrides the scenario's on the same figure."),
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="K=V", help="A label for the report, like build=17.")
    ] = None,
    workers: Annotated[
        int, typer.Option(help="Processes on this machine that share the load, each with accounts of its own.")
    ] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Explain the plan and start nothing.")] = False,
    ui: Annotated[
        bool, typer.Option("--ui", help="Locust's web page while it runs, on http://127.0.0.1:8089.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to record. Default: runs/TIME-SCENARIO.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="The core's port. Default: a free one.")] = None,
) -> None:
    """Play a scenario, judge what happened, draw the report.

    Exit codes: 0 every objective and guarantee held, 1 one did not, 2 bad input, 3 not decidable or not trustworthy,
    130 interrupted.
    """
    from chatload.cli.run import dry, play
    from chatload.run.settings import settle
    from chatload.scenario import load as load_scenario

    settings = settle(
        load_scenario(scenario),
        part=part,
        target=target,
        load=load,
        speed=speed,
        duration=duration,
        operators=operators,
        seed=seed,
        ramp=ramp,
        slos=slo or (),
        labels=label or (),
        out=out,
        port=port,
        workers=workers,
    )
    raise typer.Exit(dry(settings) if dry_run else play(settings, ui))


@app.command(
    epilog="""\b
    Examples:
      chatload simulate tbank --part day
      chatload simulate tbank --part day --operators 500
      chatload simulate tbank --set patience.queue="3 min" --set bot.contained=0.5
      chatload simulate tbank --part day --days 20
      chatload simulate tbank --days 20 --beside runs/20260131T090000Z-tbank"""
)
def simulate(  # noqa: PLR0913, PLR0917 - one parameter an option
    scenario: Name,
    part: Annotated[
        str, typer.Option(help="peak: the peak hour; day: the whole day; surge: the peak with the scenario's [surge].")
    ] = "peak",
    load: Annotated[float, typer.Option(help="Multiplies arrivals and operators.")] = 1.0,
    operators: Annotated[
        int | None,
        typer.Option(
            help="All operators; shifts and breaks say who is on duty. Default: the scenario's times the load."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed is another day. Default: the scenario's.")] = None,
    days: Annotated[
        int | None,
        typer.Option(min=2, help="So many days, of this seed and those after it: mean and spread of each figure."),
    ] = None,
    beside: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="With --days: is the run of this directory one of such days?"),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Another value of any key of the scenario; of several tables one by number: notices.0.per_day=500.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to record. Default: runs/TIME-SCENARIO.")
    ] = None,
) -> None:
    """The same customers and operators under a virtual clock: an hour in seconds, judged and drawn like a run.

    What is simulated is the scenario and the reference core's rules, with no platform's time in it: what if there were
    fewer operators, more dialogs, less patience? Strangers of the scenario's [hostile] are left out, for they have no
    door to try. Exit codes as of `run`, but nothing is claimed about a platform.

    With --beside each key figure of a recorded run stands beside the days, with ends between which a further day lies
    with all its figures 99 times of 100: within, or outside, which ends with 1. The run's own plan is simulated, too.
    The run must be of the same scenario, part, load and operators; the days are as long as it was. If time was so
    compressed that its distortion is over 5 %, the comparison is not decidable, which ends with 3.
    """
    from chatload.cli.simulate import play, play_days
    from chatload.errors import BadOption
    from chatload.run.settings import settle
    from chatload.scenario import load as load_scenario
    from chatload.simulate.changes import changed
    from chatload.simulate.run import settled

    if beside is not None and days is None:
        raise BadOption(
            "--beside", beside, "say with --days how many days are to be simulated beside it, like --days 20"
        )
    changes = set_ or []
    file = changed(load_scenario(scenario), changes)
    settings = settle(file, part=part, load=load, speed=1.0, operators=operators, seed=seed, out=out)
    settings = settled(settings)
    raise typer.Exit(play(settings, changes) if days is None else play_days(settings, days, changes, beside))


@app.command()
def verify(directory: RunDirectory) -> None:
    """Judge a recorded run again; the exit code is the verdict's."""
    from chatload.cli.again import again

    raise typer.Exit(again("verify", directory))


@app.command()
def report(directory: RunDirectory) -> None:
    """Draw the report of a recorded run again."""
    from chatload.cli.again import again

    raise typer.Exit(again("report", directory))


@app.command(
    epilog="""\b
    Examples:
      chatload validate
      chatload validate --quick --out check"""
)
def validate(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer and shorter plays: a coarse look.")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write. Default: runs/TIME-validate.")
    ] = None,
) -> None:
    """Play a queue whose answer is known, and see whether generator, core and figures agree with theory.

    Customers arrive at random, wait as long as they bear it, and ten operators with four slots hold each for a random
    time: for that queue the Erlang A formula says how many wait, how long, and how many leave. It is played several
    times under a virtual clock and several times over the wire against the reference core, recorded and judged like
    any run. The machine should have nothing else to do meanwhile: a quarter of an hour, with --quick ten minutes.

    Agreement is claimed only where it says something: of intervals that contain theory's value and reach no further
    than half of it to either side. Interrupted, the plays that ended are compared.

    Exit codes: 0 agree, 1 disagree (and what that points to: a capacity leak, a dispatch delay, the patience timer, the
    arrivals), 2 bad input, 3 not decidable, 130 interrupted.
    """
    from chatload.validate.play import on_the_wire, simulated
    from chatload.validate.play import validate as play_and_compare

    raise typer.Exit(play_and_compare(simulated(quick=quick), on_the_wire(quick=quick), out))


@app.command()
def doctor() -> None:
    """This machine: what it can do, and what to change on it.

    Ends with 3 if something must change before it can be measured on.
    """
    from chatload.doctor import examine

    raise typer.Exit(examine())


@app.command(epilog="Example: chatload serve --port 8080 --operators 3")
def serve(
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Default: a free one.")] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the journal here. Default: gone at the end.")
    ] = None,
    operators: Annotated[int, typer.Option(min=1, help="Operators o1, o2, … to make known.")] = 3,
    scenario: Annotated[str, typer.Option(help="Whose bot and timers it gets, at life's speed.")] = "tbank",
) -> None:
    """The reference core alone, until Ctrl-C.

    It is started again whenever it ends by itself.
    """
    from chatload.cli.serve import serve as run_server

    raise typer.Exit(run_server(port, data, operators, scenario))


@scenarios.callback()
def _scenarios(context: typer.Context) -> None:
    """List the scenarios, if nothing more is asked."""
    if context.invoked_subcommand is None:
        list_scenarios()


@scenarios.command("list")
def list_scenarios() -> None:
    """The shipped scenarios, one line each."""
    from chatload.scenario import load as load_scenario
    from chatload.scenario import shipped

    for name in shipped():
        say(f"{name:12} {load_scenario(name).scenario.title}")


@scenarios.command()
def explain(name: Name) -> None:
    """A scenario in plain words, with what follows from its figures."""
    import textwrap

    from chatload.run.rates import spelled_out
    from chatload.scenario import load as load_scenario
    from chatload.scenario.explain import explain as explained

    file = load_scenario(name)
    paragraphs = [*explained(file), *spelled_out(file)]
    say("\n\n".join(textwrap.fill(paragraph, 110) for paragraph in paragraphs))


@scenarios.command()
def check(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The path of a TOML file, or a scenario's name.")],
) -> None:
    """Whether this is a scenario.

    Says what is wrong, where, and what the nearest valid key is.
    """
    from chatload.run.claims import check_claims
    from chatload.scenario import load as load_scenario

    found = load_scenario(file)
    check_claims(found)
    say(f"{found.path}: a scenario: {found.scenario.title}")


@scenarios.command(epilog="Example: chatload scenarios new ours --from halyk")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The file will be NAME.toml, here.")],
    source: Annotated[
        str, typer.Option("--from", metavar="SCENARIO", help="The scenario to begin from, by name or path.")
    ] = "tbank",
) -> None:
    """Begin a scenario of your own: another bank's, commented, that runs as it is."""
    from chatload.scenario import load as load_scenario
    from chatload.scenario.template import begin

    path = begin(name, load_scenario(source))
    say(
        f"{path} is written: {source}'s day under your name. Change its numbers to your bank's, then:\n"
        f"  chatload scenarios check {path}\n"
        f"  chatload scenarios explain {path}\n"
        f"  chatload run {path} --dry-run\n"
        f"  chatload run {path}"
    )


@scenarios.command(
    epilog="""\b
    The file is CSV in UTF-8 with the names of the columns in its first line, one row a dialog, whole days:
      contact            the customer, by any id
      channel            web, app, telegram, messenger, viber, vk, whatsapp, infobip, sms, max, email or phone
      started            when the dialog began; the hour counts as it is written
    and, as far as the bank knows them:
      queued             when it began to wait for an operator; empty: it never did
      accepted           when an operator took it, beside queued; empty: none did
      closed             when it ended
      ended_by           customer, operator, bot, or timeout: nobody wrote any more
      messages_customer, messages_operator, messages_bot
      bursts             how often the customer wrote an operator several messages at once, 50 to 200 ms apart
      messages_in_bursts how many of the customer's messages these were
      operator           who took it, by any id
      department         which department it was with when it was taken
      transferred        yes, if it was sent on
      rating             1 to 5, or bad or good
    Who comes back is told by the contacts. Times are 2026-01-31 09:00:00 or 31.01.2026 09:00:00, with a time zone
    such as +05:00 or none. Cells are separated by commas, semicolons or tabs.
    Bad rows are named, counted and left out."""
)
def fit(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="An export of the bank's dialogs.")],
    out: Annotated[
        Path | None, typer.Option(metavar="NAME.toml", help="The scenario's file. Default: FILE.toml, here.")
    ] = None,
) -> None:
    """Estimate a scenario from an export of your dialogs."""
    from chatload.cli.fitting import fit as fitted

    fitted(file, out)
