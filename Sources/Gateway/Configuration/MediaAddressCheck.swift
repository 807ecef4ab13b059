internal import Logging

/// Says at start when cameras will probably send their media to nowhere: the most frequent reason of a missing picture.
struct MediaAddressCheck {
    let key: String
    let address: String

    /// Nil when nothing is odd about it.
    var finding: (level: Logger.Level, text: String)? {
        let parts = address.split(separator: ".").compactMap { UInt8($0) }
        guard parts.count == 4 else { return nil }
        if parts[0] == 127 {
            return (
                .notice,
                "\(key) \(address) is a loopback address: only cameras on this machine can send there; set the address that cameras reach"
            )
        }
        if parts[0] == 172, parts[1] == 17 {
            return (
                .warning,
                "\(key) \(address) is Docker's own network: cameras cannot send there; set the host's address and publish the ports"
            )
        }
        if parts[0] == 0 {
            return (.warning, "\(key) \(address) is no address that a camera can send to; leave it empty or name one")
        }
        return nil
    }

    /// Of a configuration: what goes into the SDP's `c=`.
    init?(_ section: GB28181Section) {
        let candidates = [("gb28181.media_ip", section.mediaIp), ("gb28181.local_sip_ip", section.localSipIp)]
        guard section.enable, let used = candidates.first(where: { !$0.1.isEmpty }) else { return nil }
        (key, address) = used
    }
}
