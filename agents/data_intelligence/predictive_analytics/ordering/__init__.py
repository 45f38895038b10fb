"""How much of one item to order, and when: levels, the rules of ERP systems beside them, guards."""
