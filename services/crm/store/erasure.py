"""SQL of forgetting a customer: what tells who they are goes, ids, times and figures stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from services.kit.db import Transaction

_FILES: Final = """
UPDATE customers SET state = 'ERASED', merged_into = NULL, root = customer_id, region = '', name_sealed = NULL,
    name_index = NULL, phone_sealed = NULL, phone_index = NULL, email_sealed = NULL, email_index = NULL,
    address_sealed = NULL, birth_month = 0, birth_day = 0, preferred_channels = '{}', interests = '{}',
    do_not_contact = true, verify_due_at = NULL, revision = revision + 1
WHERE site = $1 AND customer_id = ANY ($2::text[]) AND state <> 'ERASED'
"""
# Table → statement. The first lock of every command on a customer is the file's, so it comes before all that they
# write; whoever sends holds the letter and its message before that.
_STATEMENTS: Final[Mapping[str, str]] = {
    # a letter that waits has the customer's name and address in it
    "kefu_letters": """
        UPDATE kefu_letters SET state = 'REFUSED', sealed = NULL, last_error = 'ERASED', ended_at = kefu_now()
        WHERE sealed IS NOT NULL
            AND id IN (SELECT id FROM care_messages WHERE site = $1 AND customer = ANY ($2::text[]))""",
    "care_messages": """
        UPDATE care_messages SET state = 'SUPPRESSED', reason = 'ERASED'
        WHERE site = $1 AND customer = ANY ($2::text[]) AND state = 'PLANNED'""",
    "customers": _FILES,
    "identities": "DELETE FROM identities WHERE site = $1 AND customer_id = ANY ($2::text[])",
    "consents": "UPDATE consents SET granted = false WHERE site = $1 AND customer_id = ANY ($2::text[]) AND granted",
    "unmask_grants": """
        UPDATE unmask_grants SET reason = '', expires_at = NULL
        WHERE site = $1 AND customer_id = ANY ($2::text[]) AND reason <> ''""",
    "data_requests": """
        UPDATE data_requests SET words = '' WHERE site = $1 AND customer_id = ANY ($2::text[]) AND words <> ''""",
    "customer_days": "DELETE FROM customer_days WHERE site = $1 AND customer_id = ANY ($2::text[])",
    "standings": "DELETE FROM standings WHERE site = $1 AND customer_id = ANY ($2::text[])",
    "care_words": "DELETE FROM care_words WHERE site = $1 AND customer = ANY ($2::text[])",
    "lifecycles": "DELETE FROM lifecycles WHERE site = $1 AND customer = ANY ($2::text[])",
    "contact_tasks": """
        UPDATE contact_tasks SET state = 'SKIPPED', ended_at = kefu_now(), ended_by = 'erasure'
        WHERE site = $1 AND customer = ANY ($2::text[]) AND state = 'DUE'""",
    "win_backs": """
        UPDATE win_backs SET state = 'LOST', ended_at = kefu_now()
        WHERE site = $1 AND customer = ANY ($2::text[]) AND state NOT IN ('WON_BACK', 'LOST')""",
    "memberships": "DELETE FROM memberships WHERE site = $1 AND customer_id = ANY ($2::text[])",
}


async def erase(tx: Transaction, site: str, customers: Sequence[str]) -> Mapping[str, int]:
    """Overwrite what crm knows of the customers; returns rows by table."""
    found = {}
    for table, statement in _STATEMENTS.items():
        found[table] = int((await tx.execute(statement, site, list(customers))).rsplit(maxsplit=1)[-1])
    return found
