/// How the catalog query of a device went, or goes.
package struct GB28181CatalogStat: Codable, Hashable, Sendable {
    /// `none` before the first one, then `querying`, `complete`, `incomplete` (parts are missing) or `failed` (nothing came).
    package var state: String
    /// Items that came.
    package var received: Int
    /// Items as the device announces them; 0 before its first part.
    package var total: Int
    /// ``WallTime/seconds`` of its last news; empty before the first query.
    package var time: String
    /// Empty while nothing is wrong.
    package var error: String

    package init(state: String = "none", received: Int = 0, total: Int = 0, time: String = "", error: String = "") {
        self.state = state
        self.received = received
        self.total = total
        self.time = time
        self.error = error
    }
}
