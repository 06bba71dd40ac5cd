{
    "name": "xAPI",
    "version": "0.1.0",
    "summary": "Statements that a system pushes, without an LRS between",
    "author": "The CertBridge developers",
    "license": "Apache-2.0",
    "category": "Pull",
    "depends": ["connectors"],
    "connector": "connectors.xapi.connector:XapiConnector",
    "schedules": {"connectors.xapi": {"task": "connectors.xapi", "every": "PT5S"}},
    "wakes": {"statements_received": "connectors.xapi"},
}
