"""What of the behaviour suite does not hold by Scalekit's tools: what they refuse, and what they do differently."""

from __future__ import annotations

REFUSED = {
    "transaction_id": (
        "test_the_same_transaction_id_and_content_returns_the_first_event",
        "test_a_transaction_id_reused_with_edited_content_is_a_conflict_that_names_the_event",
        "test_a_repeat_under_its_own_key_does_not_stand_in_its_own_way",
        "test_a_create_with_a_key_of_the_callers_own_says_that_it_invites_once",
    ),
    "calendar_id": (
        "test_an_event_goes_into_the_calendar_that_was_named",
        "test_a_move_looks_at_the_calendar_of_the_event_and_at_the_default_one",
        "test_where_the_calendar_of_an_event_cannot_be_found_the_default_one_is_looked_at_and_that_is_said",
        "test_a_series_of_another_calendar_goes_on_in_that_calendar",
        "test_a_calendar_is_found_by_its_name_to_book_and_to_list",
        "test_a_calendar_that_a_colleague_shares_is_found_like_an_own_one",
        "test_an_unknown_name_is_refused_with_the_names_there_are_and_nothing_is_booked",
        "test_a_name_that_two_calendars_have_is_refused_with_whose_they_are",
        "test_an_id_needs_no_look_up_and_a_wrong_one_is_refused_with_the_names",
        "test_a_name_that_looks_like_an_id_is_found_all_the_same",
        "test_further_pages_stay_with_the_calendar_of_the_first_whatever_it_is_called_then",
        "test_a_look_through_hundreds_of_calendars_ends_and_its_refusal_is_short",
        "test_the_calendar_that_is_named_is_looked_at",
    ),
    "permanent": (
        "test_permanent_purges_the_event",
        "test_apply_to_on_what_is_gone_is_already_gone",
        "test_an_event_that_is_not_there_is_said_not_to_be_there",
        "test_what_is_not_known_of_a_deletion_for_good_is_said",
        "test_an_id_of_another_mailbox_is_not_found",
    ),
    "allowNewTimeProposals": (
        "test_a_series_ends_before_a_date_and_goes_on_with_all_it_had_and_the_changes",
        "test_deleting_from_a_date_on_ends_the_series_and_mails_each_attendee_once",
        "test_the_new_series_is_an_online_meeting_unless_that_is_not_wanted",
        "test_attendees_and_text_change_with_the_new_series_alone",
    ),
    "apply_to": (
        "test_what_is_left_of_a_series_keeps_its_end_unless_another_is_given",
        "test_deleted_dates_before_the_cut_count_for_the_number_of_dates_that_are_left",
        "test_every_second_week_stays_every_second_week",
        "test_the_cut_is_a_date_of_the_series_own_zone",
        "test_a_moved_date_is_cut_where_the_pattern_had_it",
        "test_an_id_that_names_no_date_of_ones_own_series_is_refused",
        "test_from_the_first_date_on_is_the_whole_series",
        "test_edited_dates_before_and_after_the_cut_are_named_first_and_what_is_gone_is_said",
        "test_dates_that_neither_series_would_have_are_lost_only_if_that_is_accepted",
        "test_a_split_that_shall_be_made_only_if_the_user_is_free_is_refused_before_anything_is_written",
    ),
    "responseRequested": ("test_every_field_that_a_create_gives_is_in_the_event_that_is_read_back",),
    "recurrence_type": (
        "test_a_later_start_alone_that_skips_dates_is_refused_first",
        "test_another_date_of_an_occurrence_for_the_series_is_refused_with_the_one_way_that_moves_it",
    ),
    "clear": (
        "test_an_update_changes_exactly_the_given_fields",
        "test_clearing_the_body_of_an_online_meeting_keeps_the_join_url",
        "test_a_single_event_becomes_a_series_and_a_series_one_event",
    ),
}
"""By the parameter that is refused: the tests that are about it, or need it."""

DIFFERENT = {
    "names of attendees are not sent, which a warning says": (
        "test_a_meeting_is_created_with_one_request_and_answered_in_its_own_zone",
        "test_the_attendees_of_an_answer_can_be_given_back",
        "test_an_ordinary_create_answers_what_a_scheduler_needs_in_1200_bytes",
    ),
    "no tool takes a transactionId": ("test_every_create_carries_a_transaction_id_and_two_calls_never_share_one",),
    "nobody tells whether an account is a personal one": (
        "test_a_personal_account_is_not_asked_for_a_provider_and_told_that_there_is_no_teams_link",
    ),
    "apply_to=following is refused first": ("test_a_start_before_the_last_date_of_the_old_series_is_over_is_refused",),
    "no tool asks for immutable ids": ("test_an_id_stays_good_when_the_event_moves_because_it_is_immutable",),
    "no tool asks for immutable ids or a zone": ("test_every_page_of_a_list_asks_for_immutable_ids_and_the_same_zone",),
    "one row more is asked for, because there is no link to a next page": (
        "test_odata_options_go_out_as_given_with_the_seeds_sample_query",
    ),
    "there are no links to next pages": (
        "test_pages_are_followed_up_to_top_when_microsoft_gives_less_at_once",
        "test_a_call_stops_after_twenty_empty_pages_and_the_next_one_goes_on",
        "test_a_next_link_to_another_host_is_not_followed",
    ),
    "people are sent by their addresses alone": (
        "test_somebody_without_a_mail_address_stays_invited",
        "test_where_microsoft_refuses_them_the_refusal_names_them_and_nothing_changes",
    ),
    "the zone of a series is not sent, which a warning says": (
        "test_a_recurrence_that_does_not_fit_the_first_event_moves_it_to_the_first_date_that_does",
        "test_a_series_in_a_zone_without_a_name_keeps_its_start_date_and_zone_when_its_end_changes",
    ),
    "deleted dates of a series cannot be seen, which a warning says": (
        "test_what_became_of_edited_dates_after_another_end_is_read_and_said",
        "test_a_deleted_date_that_lies_after_the_new_end_is_not_said_to_be_back",
        "test_deleted_dates_that_cannot_be_seen_are_not_said_to_be_back",
        "test_a_change_that_discards_edited_occurrences_is_refused_with_their_list",
    ),
    "edited dates are read by another tool": (
        "test_edits_that_cannot_be_read_back_are_not_claimed_to_be_lost_or_kept",
    ),
    "categories of a new event are set by a second call": (
        "test_delete_says_what_was_deleted",
        "test_nothing_is_sent_when_there_is_nothing_to_change",
        "test_an_end_before_the_start_that_the_event_has_is_refused",
    ),
    "a series cannot become one event": ("test_a_conversion_that_microsoft_did_not_carry_out_is_told",),
    "no tool takes a condition": (
        "test_a_412_without_a_change_in_between_is_met_without_the_condition",
        "test_somebody_elses_new_attendee_survives_a_concurrent_merge",
        "test_a_transient_412_without_a_precondition_is_tried_once_more",
    ),
    "Scalekit reads an id before Microsoft does": (
        "test_what_is_no_id_is_an_event_that_was_not_found_and_nothing_is_claimed",
    ),
}
"""By what no tool carries: the tests that look at it."""


def why_not(test: str) -> str | None:
    """Why a test does not run by Scalekit's tools; None where it does."""
    for parameter, tests in REFUSED.items():
        if test in tests:
            return f"refused: {parameter}"
    return next((reason for reason, tests in DIFFERENT.items() if test in tests), None)
