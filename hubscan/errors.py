"""What a user can fix, as a tree two levels deep; every other exception is a bug and keeps its traceback."""


class HubscanError(Exception):
    """Base of every failure that hubscan explains in one line; the command line exits with 1."""


class RecipeError(HubscanError):
    """The recipe or the flags ask for something unknown or contradictory; exits with 2."""


class HubError(HubscanError):
    """The Hub is out of reach, or refuses: no such repository, no access, too many requests."""


class DatasetError(HubscanError):
    """The dataset, its split or its columns do not give labelled rows to rank with."""


class CheckpointError(HubscanError):
    """One checkpoint cannot be used; in a scan it becomes a `Skipped`, never the end of the scan."""


class RankingError(HubscanError):
    """No checkpoint could be ranked, or the results do not belong together."""


class RunError(HubscanError):
    """The run folder is missing, damaged, or belongs to another scan."""
