"""The layout of D3KE: written, checked through its network layer, and verified."""
