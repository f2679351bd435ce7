"""Every hook's documentation runs as it stands: its example is installed, loaded, built and used."""

from __future__ import annotations

import inspect
import logging
import textwrap
from collections.abc import Callable
from decimal import Decimal
from types import ModuleType, SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner

from mqd_core.api import (
    API_VERSION,
    Bar,
    Batch,
    BookView,
    BrokerContext,
    BrokerRecord,
    CommandRecord,
    DataContext,
    DataProviderRecord,
    Entry,
    ExecutorContext,
    ExecutorRecord,
    HookSpecs,
    ObserverContext,
    ObserverRecord,
    OrderDraft,
    OrderType,
    RiskRuleContext,
    RiskRuleRecord,
    Side,
    SignalAction,
    SizerContext,
    SizerRecord,
    StoreContext,
    StoreRecord,
    StrategyContext,
    StrategyRecord,
    Timeframe,
    TimeInForce,
)
from mqd_core.domain.records import Alert, Severity
from mqd_core.errors import Refused
from mqd_core.registry.kinds import Kind
from mqd_core.registry.loader import Registry
from mqd_core.registry.resolve import Wanted

ALERT = Alert(sequence=1, ordinal=1, ts=5, severity=Severity.NOTICE, code="test", subject="", text="x")
HOOKS = [name for name in vars(HookSpecs) if name.startswith("mqd_")]


def source_of(hook: str) -> str:
    _, _, example = (inspect.getdoc(getattr(HookSpecs, hook)) or "").partition("Example::\n")
    return textwrap.dedent(example)


def loaded(kind: Kind, name: str) -> Any:
    """Run the example as a module, register it, and return its record."""
    module = ModuleType(f"example_{kind.hook}")
    exec(compile(source_of(kind.hook), module.__name__, "exec", dont_inherit=True), vars(module))
    registry = Registry()
    with registry.register(module, distribution="mqd-plugin-example", version="1.0"):
        (plugin,) = registry.load([Wanted(kind, name)])
    return plugin.record


def bar(close: float) -> Bar:
    return Bar("SPY", 0, close, close, close, close, 100.0)


def test_there_is_one_hook_for_each_kind() -> None:
    """The specifications and the nine kinds name each other completely."""
    assert sorted(HOOKS) == sorted(kind.hook for kind in Kind)
    assert len(HOOKS) == 9


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_an_example_and_a_test(hook: str) -> None:
    """A hook without a documented example, or without a test of its own name, cannot be added."""
    assert f"def {hook}():" in source_of(hook)
    assert f"test_hook_{hook}" in globals()


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_takes_nothing_and_names_its_record(hook: str) -> None:
    """A hook has no argument, so that plugins need none, and its annotation is its kind's record."""
    function: Callable[..., object] = getattr(HookSpecs, hook)

    assert list(inspect.signature(function).parameters) == ["self"]
    record = hook.removeprefix("mqd_").replace("_", "").removesuffix("s").removesuffix("ie")
    assert record in inspect.signature(function).return_annotation.lower().replace("strategy", "strateg")
    with pytest.raises(NotImplementedError):
        function(HookSpecs())


def test_the_api_has_a_version() -> None:
    """Plugins are written against 1.0."""
    assert API_VERSION == (1, 0)


def test_hook_mqd_brokers(broker_context: BrokerContext) -> None:
    """The broker of the example opens, shows its account, and refuses an order."""
    record: BrokerRecord[Any] = loaded(Kind.BROKER, "closed")
    broker = record.factory(record.settings(cash="12.50"), broker_context)

    assert broker.open(lambda event: None).cash == Decimal("12.50")
    assert broker.capabilities is record.capabilities
    with pytest.raises(Refused, match="takes no orders"):
        broker.submit(SimpleNamespace())  # type: ignore[arg-type]
    assert broker.find_order("m1") is None
    assert [asset.symbol for asset in broker.assets(["SPY"])] == ["SPY"]
    assert (list(broker.orders(0)), list(broker.activities(None)), list(broker.positions())) == ([], [], [])
    assert broker.clock().now_ns == 1_000_000_000
    broker.close()


def test_hook_mqd_data_providers(data_context: DataContext) -> None:
    """The provider of the example yields a chunk of bars that ends where it is told to."""
    record: DataProviderRecord[Any] = loaded(Kind.DATA_PROVIDER, "flat")
    provider = record.factory(record.settings(symbols=["SPY"], price=5), data_context)

    minute = Timeframe.MINUTE_1.length_ns
    (chunk,) = provider.history("SPY", Timeframe.MINUTE_1, minute, 4 * minute)

    assert chunk.start_ns.tolist() == [minute, 2 * minute, 3 * minute]
    assert chunk.close.tolist() == [5.0, 5.0, 5.0]
    assert record.has_history
    assert not record.has_live
    provider.close()


def test_hook_mqd_strategies() -> None:
    """The strategy of the example enters above its level, once, with its reason."""
    record: StrategyRecord[Any] = loaded(Kind.STRATEGY, "Breakout")
    context = StrategyContext(id="b", symbols=("SPY",), timeframe=Timeframe.MINUTE_1)
    strategy = record.factory(record.settings(level=10), context)
    flat: Any = SimpleNamespace(book=BookView(strategy_id="b", symbol="SPY"))
    holding: Any = SimpleNamespace(book=BookView(strategy_id="b", symbol="SPY", quantity=Decimal(1)))

    assert list(strategy.on_bar(bar(10.0), flat)) == []
    (signal,) = strategy.on_bar(bar(10.5), flat)
    assert (signal.action, signal.stop_loss, signal.reason[0]) == (SignalAction.ENTER, Decimal("0.02"), ("close", 10.5))
    assert list(strategy.on_bar(bar(10.5), holding)) == []


def test_hook_mqd_sizers() -> None:
    """The sizer of the example says the number of shares it is set to."""
    record: SizerRecord[Any] = loaded(Kind.SIZER, "one_share")
    sizer = record.factory(record.settings(shares="0.5"), SizerContext())

    size = sizer.size(SimpleNamespace(), SimpleNamespace())  # type: ignore[arg-type]

    assert size.quantity == Decimal("0.5")


def test_hook_mqd_stores(store_context: StoreContext) -> None:
    """The store of the example keeps a batch, gives it back, and shows it to readers."""
    record: StoreRecord[Any] = loaded(Kind.STORE, "memory")
    store = record.factory(record.settings(), store_context)

    head = store.commit(Batch(ts=5, sequence=1, entries=(Entry(1, 1, ALERT),)))

    assert (head.sequence, head.rows) == (1, 1)
    assert [(row.sequence, row.kind) for row in store.read(0)] == [(1, "Alert")]
    assert list(store.read(1)) == []
    assert store.view().as_of_sequence == 1
    assert store.latest_snapshot() is None
    store.close()


def test_hook_mqd_risk_rules() -> None:
    """The rule of the example denies a symbol that is not listed, with a code, and says nothing else."""
    record: RiskRuleRecord[Any] = loaded(Kind.RISK_RULE, "only_symbols")
    rule = record.factory(record.settings(symbols=["SPY"]), RiskRuleContext())
    view: Any = SimpleNamespace()

    def draft(symbol: str) -> OrderDraft:
        return OrderDraft(
            correlation_id="c",
            strategy_id="s",
            symbol=symbol,
            side=Side.BUY,
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.DAY,
            reference_price=Decimal(1),
        )

    assert rule.check(draft("SPY"), view) is None
    denial = rule.check(draft("GME"), view)
    assert denial is not None
    assert (denial.code, denial.text) == ("symbol_not_allowed", "GME is not on the list")


def test_hook_mqd_observers(observer_context: ObserverContext, caplog: pytest.LogCaptureFixture) -> None:
    """The observer of the example logs the kind of a record."""
    record: ObserverRecord[Any] = loaded(Kind.OBSERVER, "ticker")
    observer = record.factory(record.settings(), observer_context)

    with caplog.at_level(logging.INFO):
        observer.on_record(ALERT)

    assert caplog.messages == ["committed: Alert"]


def test_hook_mqd_commands() -> None:
    """The command of the example is a click command that runs."""
    record: CommandRecord = loaded(Kind.COMMAND, "hello")

    command = record.load()

    assert isinstance(command, click.Command)
    assert CliRunner().invoke(command).output == "hello from a plugin\n"


def test_hook_mqd_executors(executor_context: ExecutorContext) -> None:
    """The executor of the example runs jobs in processes and gives the results in the order of the inputs."""
    record: ExecutorRecord[Any] = loaded(Kind.EXECUTOR, "pool")
    executor = record.factory(record.settings(workers=1), executor_context)

    try:
        assert list(executor.run(len, ["a", "bb", ""])) == [1, 2, 0]
    finally:
        executor.close()
