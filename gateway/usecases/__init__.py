"""What the gateway does, one verb a file. Each gathers from the store, asks the domain, and applies in one transaction."""
