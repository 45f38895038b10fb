"""The sample business: a shop on real sales data, three suppliers and three services.

Nothing here is imported by agents or flows: they see a business file like any user's
(docs/sample-business.md).
"""
