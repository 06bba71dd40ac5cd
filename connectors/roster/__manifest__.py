{
    "name": "Roster file",
    "version": "0.1.0",
    "summary": "The organisation's employees from a CSV file",
    "author": "The CertBridge developers",
    "license": "Apache-2.0",
    "category": "Pull",
    "depends": ["connectors"],
    "connector": "connectors.roster.connector:RosterConnector",
}
