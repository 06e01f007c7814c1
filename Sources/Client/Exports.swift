// Whoever calls the service speaks in its types.
@_exported public import ExportAPI
