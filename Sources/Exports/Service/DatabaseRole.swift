/// The roles that transactions assume; see the grants in `Schema/`.
package enum DatabaseRole {
    package static let owner = "adminexport_owner"
    package static let api = "adminexport_api"
    package static let worker = "adminexport_worker"
}
