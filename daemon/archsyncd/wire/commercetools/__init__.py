"""commercetools' formats: requests, answers, predicates, errors. Pure: bytes and values, no sockets and no clock."""
