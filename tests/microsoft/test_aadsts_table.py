"""Every number of Microsoft's that the product knows, against what it has to mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalekit_mcp.accounts.model.records import AccountStatus, Reason
from scalekit_mcp.accounts.provider import GrantFault
from scalekit_mcp.microsoft.identity import aadsts_table
from scalekit_mcp.microsoft.identity.aadsts_rules import Phase, rule
from scalekit_mcp.microsoft.identity.aadsts_table import AADSTS_TABLE, CLASSES, ROWS, SUBERRORS
from scalekit_mcp.microsoft.identity.verdicts import sentence

GONE = {
    (AccountStatus.EXPIRED, Reason.INACTIVE, "user"): "700082",
    (AccountStatus.EXPIRED, Reason.GRANT_EXPIRED, "user"): "70008 700084 70000",
    (AccountStatus.EXPIRED, Reason.INTERACTION_REQUIRED, "user"): (
        "70043 70044 50076 50078 50079 50072 50074 50158 50177 50131 50132 50133 50055 50144"
    ),
    (AccountStatus.EXPIRED, Reason.POLICY_BLOCKED, "it_admin"): (
        "53000 53001 53002 53003 53004 53005 53006 53007 53008 53009 53010 53011 530032 530035 500014 50097 50127 50129"
        " 135011 50005"
    ),
    (AccountStatus.REVOKED, Reason.GRANT_REVOKED, "user"): "50173 65001",
    (AccountStatus.REVOKED, Reason.GRANT_REVOKED_BY_ADMIN, "it_admin"): "50105",
    (AccountStatus.REVOKED, Reason.APP_DISABLED, "it_admin"): "7000112 700016 700011 70001",
    (AccountStatus.REVOKED, Reason.ACCOUNT_DISABLED, "it_admin"): "50057",
    (AccountStatus.REVOKED, Reason.ACCOUNT_DELETED, "it_admin"): "50034 500341",
    (AccountStatus.EXPIRED, Reason.UNKNOWN, "user"): (
        "50085 700020 50020 500208 50128 50059 500021 500022 500212 500213 51004 16003 90072 50014 1000031"
        " 1000104 90123 90093 90008 90099 65004 90094 90095 900941 900981"
    ),
}
UNTOUCHED = {
    GrantFault.TRANSIENT: (
        "50196 90055 50000 50033 90006 90012 90024 90033 90036 90090 90091 70012 50053 54005 50089 50087 50126 50056"
        " 16000 16001 50058 50140 50125 50199 135010 70016 70019 70020"
    ),
    GrantFault.MISCONFIGURED: (
        "7000215 7000222 7000218 700025 700027 50012 50013 700024 700030 70002 500011 50001 650053 70011 700022 700023"
        " 28002 28003 50011 50194 900023 90002 90013 9002332 9002331 9001023 90124 90130 9002325 9002326 9002327 90038"
        " 90043 900382 900432 1002016 65005 650052 650054 650056 650057 700054"
    ),
    GrantFault.OUR_FAULT: (
        "501481 700005 70007 70003 70004 70005 500112 90027 9002313 900144 90014 90015 90019 90023 90100 50147 900971"
        " 9000411 90056 901002 90004 70018"
    ),
}
ADMIN = (90094, 90095, 900941, 900981)


def numbers(text: str) -> list[int]:
    return [int(number) for number in text.split()]


AT_REFRESH = [(number, expected) for expected, codes in GONE.items() for number in numbers(codes)]
SAME = [(number, fault) for fault, codes in UNTOUCHED.items() for number in numbers(codes)]


def test_the_table_holds_exactly_the_numbers_that_these_tests_judge() -> None:
    judged = [number for number, _ in AT_REFRESH] + [number for number, _ in SAME]
    assert sorted(judged) == sorted(AADSTS_TABLE)
    assert len(ROWS) == len(AADSTS_TABLE)


@pytest.mark.parametrize(
    ("number", "expected"), AT_REFRESH, ids=lambda value: str(value) if isinstance(value, int) else ""
)
def test_a_refused_refresh_ends_the_grant_for_the_reason_of_its_number(
    number: int, expected: tuple[AccountStatus, Reason, str]
) -> None:
    ruling = rule("invalid_grant", None, (number,), phase=Phase.REFRESH, personal=False)
    verdict = ruling.verdict
    assert (verdict.status, verdict.reason, verdict.who_acts) == expected
    assert verdict.fault is (GrantFault.TENANT if number in {7000112, 700016} else GrantFault.PERMANENT)
    assert ruling.code == f"AADSTS{number}"


@pytest.mark.parametrize(("number", "fault"), SAME, ids=lambda value: str(value))
def test_numbers_that_say_nothing_about_the_grant_leave_the_status_alone(number: int, fault: GrantFault) -> None:
    verdict = rule("invalid_grant", None, (number,), phase=Phase.REFRESH, personal=False).verdict
    assert verdict.fault is fault
    assert verdict.status is None
    assert verdict.reason is None


@pytest.mark.parametrize("number", ADMIN)
@pytest.mark.parametrize("phase", [Phase.AUTHORIZATION, Phase.CODE])
def test_only_four_numbers_mean_that_an_administrator_must_approve(number: int, phase: Phase) -> None:
    verdict = rule("consent_required", None, (number,), phase=phase).verdict
    assert (verdict.fault, verdict.who_acts) == (GrantFault.ADMIN_APPROVAL, "it_admin")
    others = [row.code for row in ROWS if row.verdict.fault is GrantFault.ADMIN_APPROVAL]
    assert sorted(others) == sorted(ADMIN)


def test_every_row_speaks_to_a_person() -> None:
    for row in ROWS:
        for text in (str(row.message), str(row.verdict.next_step)):
            assert text[0].isupper(), row
            assert text.endswith("."), row
            assert "AADSTS" not in text, row
            assert "{" not in text, row


def test_status_and_reason_come_in_pairs_and_only_with_faults_about_the_grant() -> None:
    verdicts = [row.verdict for row in ROWS]
    verdicts += [verdict for verdict, _ in (*CLASSES.values(), *SUBERRORS.values())]
    for verdict in verdicts:
        assert (verdict.status is None) == (verdict.reason is None)
        about_the_grant = verdict.fault in {GrantFault.PERMANENT, GrantFault.TENANT}
        assert (verdict.status is not None) == about_the_grant


@pytest.mark.parametrize(
    ("error", "suberror", "codes", "personal", "fault", "reason"),
    [
        ("invalid_grant", None, (), False, GrantFault.PERMANENT, Reason.UNKNOWN),
        ("invalid_grant", None, (99999999,), True, GrantFault.PERMANENT, Reason.UNKNOWN),
        ("invalid_grant", "consent_required", (), False, GrantFault.PERMANENT, Reason.GRANT_REVOKED),
        ("invalid_grant", "consent_required", (50076,), False, GrantFault.PERMANENT, Reason.GRANT_REVOKED),
        ("invalid_grant", "consent_required", (90094,), False, GrantFault.PERMANENT, Reason.UNKNOWN),
        ("invalid_grant", "bad_token", (70000,), True, GrantFault.PERMANENT, Reason.GRANT_REVOKED_BY_USER),
        ("invalid_grant", None, (70000,), True, GrantFault.PERMANENT, Reason.GRANT_REVOKED_BY_USER),
        ("invalid_grant", "bad_token", (), True, GrantFault.PERMANENT, Reason.GRANT_REVOKED_BY_USER),
        ("invalid_grant", "bad_token", (70000,), False, GrantFault.PERMANENT, Reason.GRANT_EXPIRED),
        ("invalid_grant", "bad_token", (50173,), False, GrantFault.PERMANENT, Reason.GRANT_REVOKED),
        ("invalid_grant", "bad_token", (), False, GrantFault.PERMANENT, Reason.UNKNOWN),
        ("invalid_grant", "user_password_expired", (), False, GrantFault.PERMANENT, Reason.INTERACTION_REQUIRED),
        ("invalid_grant", "basic_action", (4711471,), False, GrantFault.PERMANENT, Reason.INTERACTION_REQUIRED),
        ("invalid_grant", None, (70002, 54005), False, GrantFault.TRANSIENT, None),
        ("invalid_grant", None, (4711471, 50057), False, GrantFault.PERMANENT, Reason.ACCOUNT_DISABLED),
        ("interaction_required", None, (), False, GrantFault.PERMANENT, Reason.INTERACTION_REQUIRED),
        ("login_required", None, (), False, GrantFault.PERMANENT, Reason.INTERACTION_REQUIRED),
        ("consent_required", None, (), False, GrantFault.PERMANENT, Reason.INTERACTION_REQUIRED),
        ("invalid_client", None, (), False, GrantFault.MISCONFIGURED, None),
        ("invalid_client", None, (50057,), False, GrantFault.MISCONFIGURED, None),
        ("unauthorized_client", None, (), False, GrantFault.MISCONFIGURED, None),
        ("unauthorized_client", None, (7000112,), False, GrantFault.TENANT, Reason.APP_DISABLED),
        ("invalid_resource", None, (500014,), False, GrantFault.PERMANENT, Reason.POLICY_BLOCKED),
        ("invalid_scope", None, (), False, GrantFault.MISCONFIGURED, None),
        ("invalid_request", None, (), False, GrantFault.OUR_FAULT, None),
        ("unsupported_grant_type", None, (), False, GrantFault.OUR_FAULT, None),
        ("temporarily_unavailable", None, (), False, GrantFault.TRANSIENT, None),
        ("server_error", None, (50173,), False, GrantFault.TRANSIENT, None),
        ("something_new", None, (), False, GrantFault.TRANSIENT, None),
        ("something_new", None, (50173,), False, GrantFault.PERMANENT, Reason.GRANT_REVOKED),
    ],
)
def test_a_refresh_is_judged_by_error_then_suberror_then_number_then_class(
    error: str,
    suberror: str | None,
    codes: tuple[int, ...],
    personal: bool,
    fault: GrantFault,
    reason: Reason | None,
) -> None:
    verdict = rule(error, suberror, codes, phase=Phase.REFRESH, personal=personal).verdict
    assert (verdict.fault, verdict.reason) == (fault, reason)


@pytest.mark.parametrize(
    ("error", "codes", "phase", "fault"),
    [
        ("invalid_grant", (70008,), Phase.CODE, GrantFault.RESTART),
        ("invalid_grant", (54005,), Phase.CODE, GrantFault.RESTART),
        ("invalid_grant", (70000,), Phase.CODE, GrantFault.RESTART),
        ("invalid_grant", (), Phase.CODE, GrantFault.RESTART),
        ("invalid_grant", (50105,), Phase.CODE, GrantFault.PERMANENT),
        ("invalid_grant", (65001,), Phase.CODE, GrantFault.DECLINED),
        ("invalid_grant", (501481,), Phase.CODE, GrantFault.OUR_FAULT),
        ("unauthorized_client", (700016,), Phase.CODE, GrantFault.MISCONFIGURED),
        ("unauthorized_client", (700016,), Phase.AUTHORIZATION, GrantFault.MISCONFIGURED),
        ("access_denied", (), Phase.AUTHORIZATION, GrantFault.DECLINED),
        ("consent_required", (65004,), Phase.AUTHORIZATION, GrantFault.DECLINED),
        ("consent_required", (65001,), Phase.AUTHORIZATION, GrantFault.DECLINED),
        ("consent_required", (), Phase.AUTHORIZATION, GrantFault.DECLINED),
        ("interaction_required", (), Phase.AUTHORIZATION, GrantFault.RESTART),
        ("login_required", (50058,), Phase.AUTHORIZATION, GrantFault.RESTART),
        ("invalid_request", (), Phase.AUTHORIZATION, GrantFault.OUR_FAULT),
        ("unsupported_response_type", (), Phase.AUTHORIZATION, GrantFault.OUR_FAULT),
        ("invalid_resource", (), Phase.AUTHORIZATION, GrantFault.MISCONFIGURED),
        ("invalid_scope", (), Phase.AUTHORIZATION, GrantFault.MISCONFIGURED),
        ("unauthorized_client", (), Phase.AUTHORIZATION, GrantFault.MISCONFIGURED),
        ("something_new", (), Phase.AUTHORIZATION, GrantFault.RESTART),
        ("something_new", (), Phase.CODE, GrantFault.RESTART),
        ("server_error", (), Phase.AUTHORIZATION, GrantFault.TRANSIENT),
        ("temporarily_unavailable", (), Phase.AUTHORIZATION, GrantFault.TRANSIENT),
    ],
)
def test_what_ends_a_grant_ends_only_the_attempt_while_somebody_signs_in(
    error: str, codes: tuple[int, ...], phase: Phase, fault: GrantFault
) -> None:
    assert rule(error, None, codes, phase=phase).verdict.fault is fault


def test_a_loop_at_microsoft_is_answered_with_a_pause_and_not_with_a_revocation() -> None:
    verdict = rule("invalid_grant", None, (50196,), phase=Phase.REFRESH).verdict
    assert verdict.fault is GrantFault.TRANSIENT
    assert verdict.pause_seconds == 60


def test_an_error_word_from_a_stranger_is_not_repeated() -> None:
    ruling = rule("<script>alert(1)</script>", None, (), phase=Phase.AUTHORIZATION)
    assert ruling.code == "unknown_error"
    assert "script" not in str(ruling.message)


def test_the_sentences_of_the_classes_are_complete() -> None:
    for verdict, key in (*aadsts_table.CLASSES.values(), *aadsts_table.SUBERRORS.values()):
        assert str(sentence(key)).endswith(".")
        assert str(verdict.next_step).endswith(".")


ANY_WORD = st.sampled_from([*CLASSES, *SUBERRORS, "bad_token"]) | st.text(max_size=12)


@given(
    error=ANY_WORD,
    suberror=st.none() | ANY_WORD,
    codes=st.lists(st.sampled_from(sorted(AADSTS_TABLE)) | st.integers(0, 999_999_999), max_size=4),
    phase=st.sampled_from(Phase),
    personal=st.none() | st.booleans(),
)
def test_only_a_refused_grant_ever_ends_one(
    error: str, suberror: str | None, codes: list[int], phase: Phase, personal: bool | None
) -> None:
    ruling = rule(error, suberror, codes, phase=phase, personal=personal)
    if error in {"invalid_client", "temporarily_unavailable", "server_error"}:
        assert ruling.verdict.status is None
    assert ruling.code in CLASSES or ruling.code == "unknown_error" or ruling.code[6:].isdigit()
