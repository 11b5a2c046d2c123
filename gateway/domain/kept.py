"""Words that the database keeps in English and staff read in their own language, where no Python writes them.

They stand here for the translators only: closed lists of the schema, and reasons put together elsewhere. Tests hold the
lists to the schema. All other reasons are marked where they are written.
"""

from gateway.domain.told import N_

WORDS = (
    # units, staff, clients, appointments
    N_("province"), N_("district"), N_("commune"), N_("clinic"), N_("service"),
    N_("case_worker"), N_("reviewer"), N_("supervisor"), N_("administrator"), N_("analyst"),
    N_("active"), N_("paused"), N_("closed"), N_("erased"), N_("register"), N_("signed"), N_("spoken"), N_("own_text"), N_("care"),
    N_("phones"), N_("time_zone"), N_("worker_id"), N_("texts_a_day"), N_("texts_a_week"), N_("fields"), N_("reminder"), N_("check_in"), N_("service_information"), N_("study"),
    N_("booked"), N_("cancelled"), N_("attended"), N_("missed"),
    N_("confirmed"), N_("declined"), N_("reschedule"),
    # flags and what a text meant
    N_("low"), N_("medium"), N_("high"), N_("urgent"), N_("open"), N_("assigned"),
    N_("{number} {reason} (open)"), N_("{number} {reason} (assigned)"), N_("{number} {reason} (closed)"),
    N_("deciding_failed"), N_("alert_failed"), N_("crisis_in_doubt"), N_("not_well"), N_("stop_in_doubt"), N_("meant_the_visit"),
    N_("which_person"), N_("other_text"), N_("loop"), N_("cannot_reach"), N_("not_sent_in_time"), N_("delivery_unknown"),
    N_("language_missing"), N_("no_open_hours"), N_("zone_unknown"), N_("unknown_sender"), N_("number_to_verify"), N_("report_not_understood"),
    N_("low_mood"), N_("no_reply"), N_("day_not_confirmed"), N_("losing_touch"), N_("referral"), N_("channel_stopped"), N_("channels_troubled"),
    # sessions
    N_("with_person"), N_("suspended"), N_("stopped"), N_("ended"), N_("not_asked"),
    N_("stop"), N_("start"), N_("help"), N_("yes"), N_("no"), N_("number"), N_("callback"), N_("info"), N_("crisis"),
    N_("wrong_number"), N_("language"), N_("other"), N_("in_doubt"), N_("carrier"),
    # campaigns, messages and attempts
    N_("disabled"), N_("one off"), N_("reminders"), N_("recurring"), N_("programme"), N_("staff"), N_("draft"), N_("running"), N_("done"), N_("waiting"), N_("pending"),
    N_("planned"), N_("skipped"), N_("submitting"), N_("unknown"), N_("accepted"), N_("sent"), N_("delivered"), N_("failed"),
    N_("expired"), N_("suppressed"), N_("not_sent"), N_("refused"), N_("carrier_shows_none"), N_("reply"), N_("bulk"),
    # reasons of carriers (channels.base)
    N_("prompt"), N_("notice"), N_("answer"), N_("approved"),
    N_("not_reached"), N_("rate_limited"), N_("queue_full"), N_("daily_limit"), N_("daily_limit_reported"), N_("line_shut"), N_("bad_number"), N_("landline"),
    N_("unreachable"), N_("bad_text"), N_("unrecognised"), N_("opted_out"), N_("filtered"), N_("bad_credentials"),
    N_("bad_sender"), N_("country_off"), N_("suspended"), N_("misconfigured"), N_("no_answer"), N_("server_error"),
    N_("unreadable"), N_("channel_down"),
    # reasons that SQL, or planning, writes
    N_("quiet hours; its time passed before they end"), N_("could not be written ({error})"),
    N_("{reason}; its time passed"), N_("no answer to the first text"), N_("no delivery report in time"), N_("lapsed"),
    N_("the worker ended before an answer came"), N_("for a person: {why}"), N_("a newer first text takes its place"),
    N_("another question takes its place"), N_("campaign cancelled"), N_("client erased"), N_("answered while the database was away"), N_("no consent for {consent}"), N_("opted out ({why})"),
)  # fmt: skip
