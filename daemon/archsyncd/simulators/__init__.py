"""The two outside worlds, simulated: commercetools and Archean R247, for the demo and the tests."""
