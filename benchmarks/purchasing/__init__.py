"""A replay of real daily sales: what ordering costs by our levels, and by ERP systems' rules."""
