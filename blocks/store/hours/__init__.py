"""The store's orders by five minutes: counted where the lines lie, for who judges their rhythm."""
