"""The trade: stock, ledger, orders, feeds. Pure values and decisions; knows no clock, I/O or format."""
