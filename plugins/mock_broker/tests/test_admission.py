"""What the venue refuses, with whose code and in which words."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mqd_core.api import MINUTE_NS, Refused

FORBIDDEN, NOT_FOUND, MALFORMED, RULE = "40310000", "40410000", "40010001", "42210000"


def refused(venue, order) -> tuple[str, str]:
    """Code and words of the refusal; the account and the orders must be as before."""
    before = venue.state()
    with pytest.raises(Refused) as refusal:
        venue.submit(order)
    assert venue.state() == before
    return refusal.value.code, str(refusal.value)


@pytest.mark.parametrize(
    ("terms", "code", "words"),
    [
        ({"notional": "0.99"}, RULE, "notional amount must be >= 1.00"),
        ({"notional": "10.001"}, RULE, "notional value must be limited to 2 decimal places"),
        ({"quantity": "0.1234567891"}, RULE, "qty must be limited to 9 decimal places"),
        ({"quantity": "0.009"}, FORBIDDEN, "cost basis must be >= minimal amount of order 1"),
        ({"quantity": "0.5", "kind": "limit", "limit": "1.99"}, FORBIDDEN, "cost basis must be >= minimal"),
        ({"quantity": "10"}, FORBIDDEN, "insufficient buying power"),
        ({"quantity": "10.1", "kind": "limit", "limit": "100"}, FORBIDDEN, "insufficient buying power"),
        ({"quantity": "10", "kind": "stop", "stop": "120"}, FORBIDDEN, "insufficient buying power"),
        ({"notional": "1000.01"}, FORBIDDEN, "insufficient buying power"),
        ({"kind": "limit", "limit": "99.995"}, RULE, "invalid limit_price 99.995. sub-penny increment does not"),
        ({"kind": "stop", "stop": "101.001"}, RULE, "invalid stop_price 101.001. sub-penny increment does not"),
        ({"quantity": "0.5", "tif": "gtc"}, RULE, "fractional orders must be DAY orders"),
        ({"quantity": "0.5", "tif": "ioc"}, RULE, "fractional orders must be DAY orders"),
        ({"notional": "50", "tif": "gtc"}, RULE, "fractional orders must be DAY orders"),
        ({"notional": "50", "kind": "limit", "limit": "99"}, RULE, "notional orders must be market orders"),
        ({"kind": "stop", "stop": "101", "tif": "ioc"}, RULE, "stop orders must be DAY or GTC orders"),
        ({"side": "sell"}, RULE, 'asset "SPHD" cannot be sold short'),
        ({"side": "sell", "quantity": "0.5"}, RULE, "fractional orders cannot be sold short"),
        ({"side": "sell", "notional": "50"}, RULE, "fractional orders cannot be sold short"),
        ({"symbol": "BTC/USD"}, NOT_FOUND, "asset not found for BTC/USD"),
        ({"symbol": "sphd"}, NOT_FOUND, "asset not found for sphd"),
        ({"symbol": "OLD"}, RULE, 'asset "OLD" is not tradable'),
        ({"symbol": "WHOLE", "quantity": "1.5"}, RULE, "requested asset is not fractionable"),
        ({"symbol": "WHOLE", "notional": "50"}, RULE, "requested asset is not fractionable"),
        ({"quantity": None}, MALFORMED, "qty is required"),
        ({"quantity": "0"}, MALFORMED, "qty must be > 0"),
        ({"quantity": "NaN"}, MALFORMED, "qty must be > 0"),
        ({"notional": "-5"}, MALFORMED, "notional must be > 0"),
        ({"kind": "limit"}, MALFORMED, "limit orders and limit price do not fit each other"),
        ({"limit": "99"}, MALFORMED, "market orders and limit price do not fit each other"),
        ({"kind": "stop"}, MALFORMED, "stop orders and stop price do not fit each other"),
        ({"kind": "stop_limit", "limit": "99"}, MALFORMED, "stop_limit orders and stop price do not fit each other"),
        ({"kind": "limit", "limit": "-1"}, MALFORMED, "limit_price must be > 0"),
    ],
)
def test_refusal(bench, terms, code, words):
    """An order against a rule is refused with the code and words of a real broker, and nothing has changed."""
    venue = bench.venue(untradable=["OLD"], whole_share_symbols=["WHOLE"])
    was_code, was_words = refused(venue, bench.order(**terms))
    assert was_code == code
    assert words in was_words


def test_both_amounts_are_refused(bench):
    """Quantity and notional exclude each other."""
    order = bench.order(notional="50")
    fields = {name: getattr(order, name) for name in order.__struct_fields__ if name != "seal"}
    both = bench.approve(**fields | {"quantity": Decimal(1)})
    assert refused(bench.venue(), both) == (MALFORMED, "only one of qty or notional is accepted")


@pytest.mark.parametrize(
    "terms",
    [
        {"notional": "1"},
        {"notional": "1000"},
        {"quantity": "0.01"},
        {"quantity": "9.708737864"},
        {"quantity": "10", "kind": "limit", "limit": "100"},
        {"quantity": "1", "tif": "gtc", "kind": "limit", "limit": "99"},
        {"quantity": "0.5", "kind": "stop_limit", "stop": "101", "limit": "102"},
        {"quantity": "20000", "kind": "limit", "limit": "0.0499", "reference": "0.05"},
        {"symbol": "BRK.B"},
    ],
)
def test_at_the_limit_of_the_rules_is_taken(bench, terms):
    """An order that just keeps every rule is taken."""
    venue = bench.venue()
    venue.submit(bench.order(**terms))
    assert venue.working == 1


class TestIds:
    @pytest.mark.parametrize("is_ended", [False, True])
    def test_twice_is_refused(self, bench, is_ended):
        """A client order id is taken once, whether its order still works or has ended."""
        venue = bench.venue()
        venue.submit(bench.order(minute=1))
        if is_ended:
            bench.show(venue, bench.bar(1, 100))
        assert refused(venue, bench.order(minute=1)) == (MALFORMED, "client_order_id must be unique")

    def test_twice_is_refused_when_the_first_is_long_forgotten(self, bench):
        """After more orders than the venue remembers, the first one sent again is still refused, a new one is not."""
        venue = bench.venue()
        for minute in range(150):
            side = "buy" if minute % 2 == 0 else "sell"
            venue.submit(bench.order(f"n{minute}", side, minute=minute))
            bench.show(venue, bench.bar(minute, 100))
        assert venue.find("n0") is None
        assert refused(venue, bench.order("n0", minute=0)) == (MALFORMED, "client_order_id must be unique")
        venue.submit(bench.order("n150", minute=150))

    def test_many_orders_of_one_instant_are_all_remembered(self, bench):
        """Orders of the last minute shown are not forgotten, however many: their like may still be under way."""
        venue = bench.venue()
        for number in range(100):
            venue.submit(bench.order(f"n{number}", quantity="0.01"))
        bench.show(venue, bench.bar(0, 100))
        assert refused(venue, bench.order("n0"))[1] == "client_order_id must be unique"
        venue.submit(bench.order("answer"))

    def test_refused_id_is_free(self, bench):
        """An order that was refused did not take its id."""
        venue = bench.venue()
        refused(venue, bench.order(quantity="100"))
        venue.submit(bench.order(quantity="1"))


class TestCash:
    def test_working_buys_reserve_their_worst_case(self, bench):
        """Two buys that fit one by one are not both taken: the first holds limit times quantity."""
        venue = bench.venue()
        venue.submit(bench.order("one", quantity="6", kind="limit", limit="100"))
        assert venue.account(0).buying_power == Decimal(400)
        code, words = refused(venue, bench.order("two", quantity="4", kind="limit", limit="101"))
        assert (code, words) == (FORBIDDEN, "insufficient buying power (cost: 404, available: 400)")
        venue.submit(bench.order("three", quantity="4", kind="limit", limit="100"))

    def test_market_orders_reserve_three_per_cent_more(self, bench):
        """A market buy of all the cash is refused; with a collar of 3 % it fits."""
        assert refused(bench.venue(), bench.order(quantity="9.708737865"))[0] == FORBIDDEN
        bench.venue().submit(bench.order(quantity="9.708737864"))

    def test_commission_counts(self, bench):
        """The commission of a buy has to be there as well."""
        terms = {"quantity": "10", "kind": "limit", "limit": "99.99"}
        bench.venue(commission_per_order_usd="0.10").submit(bench.order(**terms))
        venue = bench.venue(commission_per_order_usd="0.10", commission_per_share_usd="0.01")
        assert refused(venue, bench.order(**terms))[0] == FORBIDDEN


class TestShares:
    def test_working_sells_hold_their_shares(self, bench):
        """A second sell gets what the first left; the refusal says both numbers."""
        venue = bench.holding("5.5")
        venue.submit(bench.order("stop", "sell", "5", "stop", stop="90", minute=1))
        assert refused(venue, bench.order("exit", "sell", "1", minute=1)) == (
            FORBIDDEN,
            "insufficient qty available for order (requested: 1, available: 0.5)",
        )
        venue.submit(bench.order("rest", "sell", "0.5", minute=1))

    def test_notional_sell_holds_what_it_comes_to(self, bench):
        """A notional sell of more than is held at the reference price is refused."""
        venue = bench.holding("5")
        assert refused(venue, bench.order("n", "sell", notional="500.01", minute=1))[0] == FORBIDDEN
        venue.submit(bench.order("n", "sell", notional="500", minute=1))
        assert refused(venue, bench.order("m", "sell", "0.1", minute=1))[0] == FORBIDDEN


class TestWashTrade:
    @pytest.mark.parametrize(
        ("resting", "order"),
        [
            ({"kind": "stop", "stop": "90"}, {}),
            ({"kind": "stop", "stop": "90"}, {"kind": "limit", "limit": "80"}),
            ({"kind": "limit", "limit": "110"}, {}),
            ({"kind": "limit", "limit": "110"}, {"kind": "limit", "limit": "110"}),
        ],
    )
    def test_opposite_side_that_could_cross_is_refused(self, bench, resting, order):
        """A buy is refused while a sell of the same symbol rests that it could trade with, as stops always can."""
        venue = bench.holding("1")
        venue.submit(bench.order("rest", "sell", "1", minute=1, **resting))
        code, words = refused(venue, bench.order("b", "buy", "1", minute=1, **order))
        assert code == FORBIDDEN
        assert words.startswith("potential wash trade detected. use complex orders")

    def test_limits_with_a_gap_are_taken(self, bench):
        """A buy limit below a resting sell limit cannot trade with it."""
        venue = bench.holding("1")
        venue.submit(bench.order("rest", "sell", "1", "limit", limit="110", minute=1))
        venue.submit(bench.order("b", "buy", "1", "limit", limit="109.99", minute=1))

    def test_other_symbols_do_not_matter(self, bench):
        """A resting sell of one symbol does not keep another from being bought."""
        venue = bench.holding("1")
        venue.submit(bench.order("rest", "sell", "1", "stop", stop="90", minute=1))
        venue.submit(bench.order("b", symbol="SPY", minute=1))

    def test_selling_into_a_resting_buy_is_refused_too(self, bench):
        """The guard works in both directions."""
        venue = bench.holding("1")
        venue.submit(bench.order("rest", "buy", "1", "limit", limit="99", minute=1))
        assert refused(venue, bench.order("s", "sell", "1", minute=1))[0] == FORBIDDEN


def test_assets(bench):
    """The venue says what it trades and how; what it does not list is left out."""
    venue = bench.venue(tradable=["SPHD", "OLD", "WHOLE"], untradable=["OLD"], whole_share_symbols=["WHOLE"])
    answers = {asset.symbol: asset for asset in venue.assets(["SPHD", "OLD", "WHOLE", "SPY", "BTC/USD"])}
    assert set(answers) == {"SPHD", "OLD", "WHOLE"}
    assert (answers["SPHD"].tradable, answers["SPHD"].fractionable) == (True, True)
    assert not answers["OLD"].tradable
    assert not answers["WHOLE"].fractionable
    assert refused(venue, bench.order(symbol="SPY", submitted_ns=bench.at(0) + MINUTE_NS))[0] == NOT_FOUND
