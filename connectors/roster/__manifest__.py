{
    "name": "Roster file",
    "version": "0.1.0",
    "summary": "Employees, departments, positions, grades, managers and leavers from CSV and XLSX files",
    "author": "The CertBridge developers",
    "license": "Apache-2.0",
    "category": "Pull",
    "depends": ["connectors"],
    "connector": "connectors.roster.connector:RosterConnector",
}
