"""A help desk that does not exist: the connector that docs/how-to/write-a-connector.md builds."""
