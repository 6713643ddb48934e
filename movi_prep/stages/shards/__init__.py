"""Native shards: writes and verifies them."""
