"""The approved order: only the gate makes one; every other way is refused or harmless."""

from __future__ import annotations

import copy
import pickle
import sys
from typing import Any

import msgspec
import pytest

from mqd_core.errors import SealedType
from mqd_core.risk.approved import ApprovedOrder, require_approved
from mqd_core.testing.engines import approved_order


def fields_of(order: ApprovedOrder) -> dict[str, Any]:
    """All fields of an order, the seal included."""
    return {name: getattr(order, name) for name in ApprovedOrder.__struct_fields__}


class TestSeal:
    @pytest.mark.parametrize("seal", [None, object(), True, "seal"])
    def test_no_seal(self, seal: object) -> None:
        """The constructor refuses whoever has no seal, and says whom to ask."""
        fields = fields_of(approved_order()) | {"seal": seal}
        with pytest.raises(SealedType, match="only PreTradeRiskGate makes an approved order"):
            ApprovedOrder(**fields)

    def test_seal_of_another_order(self) -> None:
        """The seal of an approved order is used up: no second order is made with it."""
        with pytest.raises(SealedType):
            ApprovedOrder(**fields_of(approved_order()))

    @pytest.mark.parametrize("changes", [{"quantity": None}, {"client_order_id": "other"}, {}])
    def test_replace(self, changes: dict[str, Any]) -> None:
        """A changed copy of an approved order was never approved."""
        with pytest.raises(SealedType):
            msgspec.structs.replace(approved_order(), **changes)
        if sys.version_info >= (3, 13):
            with pytest.raises(SealedType):
                copy.replace(approved_order(), **changes)

    def test_frozen(self) -> None:
        """An approved order cannot be changed in place."""
        order = approved_order()
        for name in ApprovedOrder.__struct_fields__:
            with pytest.raises(AttributeError, match="immutable"):
                setattr(order, name, None)
            with pytest.raises((AttributeError, TypeError)):
                delattr(order, name)

    def test_pickle(self) -> None:
        """An order that was pickled does not come back as an approved one."""
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            data = pickle.dumps(approved_order(), protocol)
            with pytest.raises(SealedType):
                pickle.loads(data)
        with pytest.raises(SealedType):
            copy.deepcopy(approved_order())

    def test_codecs(self) -> None:
        """An approved order is not written by a codec, and what one reads is none."""
        for codec in (msgspec.json, msgspec.msgpack):
            with pytest.raises(TypeError):
                codec.encode(approved_order())
        plain = {name: value for name, value in fields_of(approved_order()).items() if name != "seal"}
        for forged in (plain, plain | {"seal": None}, plain | {"seal": {"is_used": False}}):
            with pytest.raises(msgspec.ValidationError):
                msgspec.json.decode(msgspec.json.encode(forged), type=ApprovedOrder)
            with pytest.raises((msgspec.ValidationError, SealedType)):
                msgspec.convert(forged, type=ApprovedOrder)

    def test_shallow_copy(self) -> None:
        """A copy that says the same is the same order: harmless."""
        order = approved_order()
        assert require_approved(copy.copy(order)) == order

    def test_compares_by_what_it_says(self) -> None:
        """Two approvals of the same are equal, whichever seals they have; of different orders they are not."""
        assert approved_order() == approved_order()
        assert approved_order() != approved_order("order-2")
        assert hash(approved_order().seal) == hash(approved_order().seal)
        assert approved_order().seal != object()


class TestRequire:
    def test_accepts(self) -> None:
        """An order that the gate made is handed back."""
        order = approved_order()
        assert require_approved(order) is order

    def test_subclass(self) -> None:
        """A subclass that lets itself be made by anybody is no approved order."""

        class Looser(ApprovedOrder):  # type: ignore[misc]
            def __post_init__(self) -> None:
                """Ask nobody."""

        forged = Looser(**fields_of(approved_order()))
        with pytest.raises(SealedType, match="Looser was handed over"):
            require_approved(forged)

    def test_without_a_constructor(self) -> None:
        """There is no way around the constructor."""
        with pytest.raises(TypeError, match="not safe"):
            ApprovedOrder.__new__(ApprovedOrder)

    @pytest.mark.parametrize("other", [None, "order-1", 5, ApprovedOrder])
    def test_other_things(self, other: object) -> None:
        """Nothing else is taken for one, whatever it is."""
        with pytest.raises(SealedType, match="orders of the risk gate only"):
            require_approved(other)

    def test_look_alike(self) -> None:
        """An object that says it is an approved order, and has all its fields, is none."""

        class Actor:
            __class__ = ApprovedOrder  # type: ignore[assignment]

        actor = Actor()
        actor.__dict__.update(fields_of(approved_order()))
        assert isinstance(actor, ApprovedOrder)
        with pytest.raises(SealedType):
            require_approved(actor)
