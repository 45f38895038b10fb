"""Calls to agents: what Prefect shows of them, what the ledger keeps, what the caller gets."""

import asyncio
import io
import logging
import os
from datetime import timedelta

import psutil
import pytest
from prefect import flow

from agents.calls import Envelope, Toolbox
from agents.capability import action, policy_of
from agents.registry import ActionSpec, AgentSpec, Registry
from agents.tasks import RETRY_DELAYS, ask
from blocks.egress import PERSON
from blocks.errors import InvalidMessage, SourceRefused, SourceUnavailable, UnknownAction
from blocks.ledger import Ledger
from blocks.partners.call import ATTEMPTS
from blocks.partners.memory import OwnMemory
from blocks.partners.partner import Partner
from blocks.vocabulary.blame import Blame
from blocks.vocabulary.messages import Outcome, utc_now
from tests.effects import ANY
from tests.integration.flows.seen import task_runs_of
from tests.loopback import Reply, serve

pytestmark = pytest.mark.prefect


class Bench:
    """An agent whose actions do on purpose what real ones do by misfortune."""

    def __init__(self):
        self.tries = 0
        self.known_before_acting = None
        self.begun, self.released = asyncio.Event(), asyncio.Event()

    def registry(self):
        functions = [
            self.answer,
            self.flaky,
            self.supplied,
            self.refused,
            self.stuck,
            self.overrun,
            self.patient,
            self.bug,
            self.act,
        ]
        actions = [ActionSpec("bench", "tests", f.__name__, f, policy_of(f)) for f in functions]
        return Registry({"bench": AgentSpec("bench", "Bench", "Tests.")}, actions)

    @action()
    def answer(self, question: str, now):
        """Answer."""
        return {"question": question, "aware": now.tzinfo is not None}

    @action(retries=2)
    async def flaky(self):
        """Fail once, then work."""
        self.tries += 1
        if self.tries < 2:
            raise SourceUnavailable("The source is away.", hint="Wait.")
        return self.tries

    @action(retries=2)
    async def supplied(self, partner, url):
        """Ask a partner."""
        return (await partner.get(url)).text()

    @action(retries=2)
    async def refused(self):
        """Fail in a way that another try cannot help."""
        self.tries += 1
        raise SourceRefused("Bad credentials.", hint="Give good ones.")

    @action(timeout=0.2, retries=0)
    async def stuck(self):
        """Never answer."""
        await asyncio.Event().wait()

    @action(timeout=0.5)
    def overrun(self, file):
        """Compute, and never come to an end."""
        with open(file, "a") as pids:
            pids.write(f"{os.getpid()}\n")
        while True:
            pass

    @action()
    async def patient(self):
        """Work until released."""
        self.begun.set()
        await self.released.wait()

    @action()
    async def bug(self):
        """Do what nobody meant."""
        return 1 / 0

    @action(effect=ANY)
    async def act(self, ledger):
        """See whether the ledger knew before the act."""
        self.known_before_acting = await ledger.calls(agent="bench")


@pytest.fixture
def bench(prefect_server, tmp_path, monkeypatch):
    monkeypatch.setattr("agents.tasks.RETRY_DELAYS", [0.01])
    bench = Bench()
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        bench.toolbox = Toolbox(ledger, registry=bench.registry())
        yield bench


@pytest.fixture
def run_log():
    """What Prefect's loggers of flow and task runs say; they do not propagate to the root."""
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    loggers = [logging.getLogger(name) for name in ("prefect.flow_runs", "prefect.task_runs")]
    for logger in loggers:
        logger.addHandler(handler)
    yield said
    for logger in loggers:
        logger.removeHandler(handler)


async def call(bench, name, **params):
    """One call inside a flow run; the reply, and the task run as Prefect has it."""

    @flow
    async def calling():
        return await ask(bench.toolbox, "bench", name, params, Envelope(run_id="r1"))

    state = await calling(return_state=True)
    reply = await state.aresult()
    await bench.toolbox.ledger.flush()
    (task_run,) = await task_runs_of(state.state_details.flow_run_id, 1)
    return reply, task_run


async def test_an_answer_comes_back_and_is_on_record(bench):
    reply, shown = await call(bench, "answer", question="why?")
    assert reply.ok
    assert reply.result == {"question": "why?", "aware": True}
    (record,) = await bench.toolbox.ledger.calls(run_id="r1")
    assert (record.agent, record.action, record.outcome) == ("bench", "answer", Outcome.SUCCEEDED)
    assert record.payload == {"question": "why?"}
    assert record.reply == {"result": reply.result}
    assert shown.name == "bench.answer(why?)"
    assert {"bench", "tests"} <= set(shown.tags)


async def test_a_retryable_error_is_tried_again(bench):
    reply, shown = await call(bench, "flaky")
    assert (reply.ok, reply.result) == (True, 2)
    assert shown.run_count == 2
    (record,) = await bench.toolbox.ledger.calls(run_id="r1")
    assert record.attempts == 2
    attempts = await bench.toolbox.ledger.past_attempts(record.sent_at, 10)
    assert [each.blame for each in attempts] == [None, Blame.SOURCE], "newest first"


async def test_a_partner_that_was_asked_three_times_is_not_asked_nine_times(bench):
    async with serve(Reply(status=503)) as server:
        partner = Partner("it", reach=PERSON, timeout=5, memory=OwnMemory())
        reply, shown = await call(bench, "supplied", partner=partner, url=server.url)
    assert len(server.requests) == ATTEMPTS
    assert (shown.run_count, reply.error.code) == (1, "source-unavailable")
    assert reply.error.retryable, "later, that is: not at once"


async def test_an_error_that_another_try_cannot_help_is_final(bench, run_log):
    reply, shown = await call(bench, "refused")
    assert bench.tries == 1
    assert reply.error.code == "source-refused"
    assert reply.error.hint == "Give good ones."
    assert shown.state.is_failed()
    assert "Bad credentials" in shown.state.message
    assert "Bad credentials" in run_log.getvalue()
    assert "Traceback" not in run_log.getvalue()
    (record,) = await bench.toolbox.ledger.calls(run_id="r1")
    assert (record.outcome, record.error.code) == (Outcome.FAILED, "source-refused")


async def test_a_call_that_hangs_ends_at_its_deadline(bench):
    reply, _ = await call(bench, "stuck")
    assert reply.error.code == "deadline-missed"
    assert "0.2 s" in reply.error.what


async def test_a_computation_that_overruns_is_ended_and_not_tried_again(bench, tmp_path):
    reply, _ = await call(bench, "overrun", file=str(tmp_path / "pids"))
    assert (reply.error.code, reply.error.retryable) == ("deadline-missed", False)
    assert reply.error.what == "bench.overrun did not finish within 0.5 s."
    (pid,) = (tmp_path / "pids").read_text().split()
    assert not psutil.pid_exists(int(pid))
    (record,) = await bench.toolbox.ledger.calls(run_id="r1")
    assert (record.attempts, record.error) == (1, reply.error)


async def test_a_bug_is_a_failed_reply_with_its_traceback_in_the_log(bench, run_log):
    reply, shown = await call(bench, "bug")
    assert reply.error.code == "unexpected"
    assert "ZeroDivisionError" in reply.error.what
    assert "Traceback" in run_log.getvalue()
    assert "ZeroDivisionError" in run_log.getvalue()
    assert shown.run_count == 1
    assert shown.state.is_failed()


async def test_an_effect_is_on_record_before_it_happens(bench):
    reply, _ = await call(bench, "act")
    assert reply.ok
    assert [record.action for record in bench.known_before_acting] == ["act"]


async def test_a_call_in_progress_counts_as_workload_and_a_finished_one_does_not(bench):
    ledger = bench.toolbox.ledger

    @flow
    async def one_at_work():
        working = asyncio.create_task(ask(bench.toolbox, "bench", "patient", {}))
        await bench.begun.wait()
        await ledger.flush()
        during = await ledger.activity(utc_now())
        bench.released.set()
        await working
        await ledger.flush()
        return during, await ledger.activity(utc_now(), window=timedelta(hours=1))

    during, after = await one_at_work()
    assert during["bench"].workload == 1
    assert after["bench"].workload == 0


async def test_a_cancelled_call_is_answered_on_record(bench):
    ledger = bench.toolbox.ledger

    @flow
    async def cancelling():
        working = asyncio.create_task(ask(bench.toolbox, "bench", "patient", {}))
        await bench.begun.wait()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await ledger.flush()
        return await ledger.calls(), await ledger.activity(utc_now())

    (record,), activity = await cancelling()
    assert (record.outcome, record.error.code) == (Outcome.FAILED, "interrupted")
    assert (activity["bench"].workload, activity["bench"].failed) == (0, 1)


async def test_an_unknown_action_names_its_nearest_match(bench):
    with pytest.raises(UnknownAction, match=r"Did you mean .*bench\.answer"):
        await ask(bench.toolbox, "bench", "anser", {})


async def test_parameters_that_do_not_fit_are_refused_before_anything_runs(bench):
    with pytest.raises(InvalidMessage, match="unexpected keyword argument 'wrong'"):
        await ask(bench.toolbox, "bench", "refused", {"wrong": 1})
    assert await bench.toolbox.ledger.calls() == []


def test_there_is_a_delay_for_every_retry_that_any_action_asks_for():
    from agents.registry import registry

    assert max(spec.policy.retries for spec in registry().actions()) <= len(RETRY_DELAYS)
