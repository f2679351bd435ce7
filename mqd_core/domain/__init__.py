"""What trading is: pure values and rules. May import nothing of mqd_core but `errors`; no clock, no random, no I/O.

Read in this order: `events`, `orders`, `order_state`, `ledger`, `records`.
"""
