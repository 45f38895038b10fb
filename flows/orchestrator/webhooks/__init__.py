"""Partners are told what happens: events shared out to their endpoints, sent, and looked after."""
