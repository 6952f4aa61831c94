"""What was meant by a command that does not exist."""

import difflib

import click


class SuggestingGroup(click.Group):
    """Names the command that is most like the one that was asked for. click has no such words for commands that are
    found when they are called, and none at all before 8.4."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
        if near and near[0] != args[0] and not ctx.resilient_parsing:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)
