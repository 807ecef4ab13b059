/// `ctrl/add_ip_blacklist`: an address that may not connect for a time.
package struct IPBlacklistRequest: Hashable, Sendable {
    /// IPv4 or IPv6.
    package var ip: String
    package var durationSec: Int

    package init(ip: String, durationSec: Int) {
        self.ip = ip
        self.durationSec = durationSec
    }
}
