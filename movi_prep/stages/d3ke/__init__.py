"""D3KE's layout: writes the files, checks them with its network layer, and verifies them."""
