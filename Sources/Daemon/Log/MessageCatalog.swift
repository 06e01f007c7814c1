/// The ids by which the journal finds entries and what is to be said about them: `systemd/adminexport.catalog` has a text for
/// each (systemd's `journalctl -x`), and a test holds the two to each other.
enum MessageCatalog {
    /// What ends a process that has to be configured otherwise.
    static let fault = "e1a234841aaf49e58aa6867f51cb5328"

    /// By message. A message that is not here is no event that anybody has to look up.
    static let ids: [String: String] = [
        "Serving": "b45274ae453e4d26a8772b558f2d1f95",
        "Working": "7244d50fbf6349f7af7d44b93f782365",
        "The database cannot be reached": "8b3a7ed9409f4e6aab800ec4289bd706",
        "The database is there": "5b0c4fc28e7742e781f7f8fa20d811d1",
        "The database is not available": "735d426b9360412ebb96a74739e1e565",
        "The configuration was not taken": "b57b9bbae6794fdfb879c7725eebde55",
        "The configuration is in force": "a18c88c249e74109aabfae451f45dd7b",
        "Started": "2e6ee85d09014d12a4e48c5141c99da6",
        "Ended": "5602f6fe700a4462b1a2c982d4c1c8a3",
        "The attempt failed": "fe778faacc96462b844db98e3ec7946b",
        "Took a job from a worker": "91d29da77e0344bf8b7829e78336c0c2",
        "The job was not this worker's any more": "cf81414c802549aebb57633c0c78eaea",
        "Not ready for jobs": "6103a5a80ce54bb5b833711ae8de02d6",
        "Cannot claim jobs": "3cc57d93536440fb86af0444f48dc6f6",
        "Cannot renew the lease": "f885b23014944efb8a0a91e7dce82660",
        "An archive cannot be read": "43e1977d3abc4764b57045e434549b93",
        "Archives cannot be removed": "27877adc65e3473ab5a59c4a240c9b53",
        "Refused a connection": "1215ea225f904a3b9847778dba13d697",
        "Dropped a connection that stalled": "3453bac4cb1c4858839610ee016bac35",
        "A request failed": "f48c3effeff543a9b7169d9781a87d55",
        "A request was refused": "f26874d4c6c747998bb09d037f64b05b",
        "Cannot write to the audit trail": "1b43670d720c4996af758bf21ea5d6e3",
        "Events are missing from the audit trail": "379b48eae14d4ef3b26fad9ba6d10392",
        "The directory does not hold to its contract": "e00e335baf514754ba544accb45f0842",
        "The database does not let the service do its work": "f3b79d8ea57046bab617328c97e32cde",
        "The directory may show less than it has": "b7ea1658b38e417a9f7da6139bf9f616",
        "The directory holds to its contract": "ff837336be6d4be89985fc8bf1e4deed",
        "The directory cannot be used": "261926dbc7514f109cf5312cb8312d85",
        "The schema is not there yet": "e7d3bb32fd14495183d8972abf0be008",
    ]

    static func id(of message: String) -> String? { ids[message] }
}
