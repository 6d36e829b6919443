"""A sentence on every column of every table: meaning, unit, range, and what -1, "" and NaN stand for.

Column types are in `verbatim.io.records.SCHEMAS`, which stages read and write with. The sentences are apart, so that an
edit of a sentence reruns no rule. `make docs` writes them into results/README.md; tests hold both lists together.
"""

from verbatim.io.contracts.attack import TABLES as ATTACK
from verbatim.io.contracts.audited import TABLES as AUDITED
from verbatim.io.contracts.copying import TABLES as COPYING
from verbatim.io.contracts.evidence import TABLES as EVIDENCE
from verbatim.io.contracts.guarded import TABLES as GUARDED
from verbatim.io.contracts.mitigated import TABLES as MITIGATED
from verbatim.io.contracts.preparation import TABLES as PREPARATION
from verbatim.io.contracts.reports import TABLES as REPORTS
from verbatim.io.contracts.sentences import Table as Table
from verbatim.io.contracts.triggered import TABLES as TRIGGERED
from verbatim.io.contracts.verdicts import TABLES as VERDICTS

# stage -> kind of table -> its contract; a kind is a key of `records.SCHEMAS`, or the path of a CSV file
CONTRACTS: dict[str, dict[str, Table]] = {
    **PREPARATION,
    **ATTACK,
    **VERDICTS,
    **EVIDENCE,
    **AUDITED,
    **GUARDED,
    **REPORTS,
    **COPYING,
    **MITIGATED,
    **TRIGGERED,
}
