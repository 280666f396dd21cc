"""Options that several verbs have."""

from __future__ import annotations

import typer

from spaces_gen.commands import completions

ABOUT_MODEL, ABOUT_HARDWARE, ABOUT_CARD = "The model", "The hardware", "The card"
ABOUT_LOAD, ABOUT_SETTINGS, ABOUT_OUTPUT = "The load", "Settings on the Hub", "What is shown"

SPACE = typer.Argument(
    metavar="DEST", help="Folder of the Space.", autocompletion=completions.folders
)
SPACE_OR_HUB = typer.Argument(
    metavar="DEST",
    help="Folder of the Space, or hf:ns/name.",
    autocompletion=completions.folders,
)
ON_HUB = typer.Argument(metavar="NS/NAME", help="The Space.")
MODEL = typer.Option(
    help="owner/name on the Hub, or a local folder.",
    autocompletion=completions.folders,
    rich_help_panel=ABOUT_MODEL,
)
MODEL_TYPE = typer.Option(
    help="Pipeline tag; see `spaces-gen model-types`.",
    autocompletion=completions.model_types,
    rich_help_panel=ABOUT_MODEL,
)
PARAMETERS = typer.Option(help="Of the model, in millions.", rich_help_panel=ABOUT_MODEL)
HARDWARE = typer.Option(
    help="Flavor; see `spaces-gen tiers`.",
    autocompletion=completions.hardware,
    rich_help_panel=ABOUT_HARDWARE,
)
SLEEP = typer.Option(
    metavar="SECONDS",
    help="Idle time before it sleeps; -1: never.",
    rich_help_panel=ABOUT_SETTINGS,
)
DATA = typer.Option(
    "--data",
    metavar="KEY=VALUE",
    help="Any answer by its question.",
    autocompletion=completions.questions,
)
SENT = typer.Option("--data", metavar="ARGUMENT=VALUE", help="Always sent so.")
VERSION = typer.Option(metavar="VERSION", help="Of the template: latest, or such as v1.2.0.")
SECRET = typer.Option(
    "--secret",
    metavar="KEY",
    help="A secret; its value from the environment or a prompt.",
    rich_help_panel=ABOUT_SETTINGS,
)
SECRETS_FILE = typer.Option(
    metavar="FILE", help="Secrets as KEY=VALUE lines.", rich_help_panel=ABOUT_SETTINGS
)
VARIABLE = typer.Option(
    "--variable",
    metavar="KEY=VALUE",
    help="A public variable.",
    rich_help_panel=ABOUT_SETTINGS,
)
P95 = typer.Option(help="Seconds for 95 %; by default of the model type.")
PLOT = typer.Option(
    "--plot",
    metavar="FILE",
    help="Draw it, as .svg or .png.",
    rich_help_panel=ABOUT_OUTPUT,
)
JSON = typer.Option("--json", help="Print it as JSON.", rich_help_panel=ABOUT_OUTPUT)
DRY_RUN = typer.Option(
    "--dry-run", help="Show what would change, and change nothing.", rich_help_panel=ABOUT_OUTPUT
)
