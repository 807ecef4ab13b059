/// The SIP server that cameras register to, and how their media comes.
package struct GB28181Section: Codable, Hashable, Sendable {
    package var enable = true
    /// The platform's ID, 20 digits: "SIP server ID" in a camera's menu.
    package var localSipId = "34020000002000000001"
    /// The address that cameras reach; empty = the local address towards each camera.
    package var localSipIp = ""
    /// UDP and TCP.
    package var localSipPort = 5060
    /// The digest realm and the domain in URIs; empty = `local_sip_id`.
    package var localSipDomain = ""
    /// What cameras must give as user name; empty = any.
    package var username = ""
    /// What cameras must know; empty = every camera may register.
    package var password = Secret("")
    /// Seconds of a registration when the camera names none.
    package var expires = 3_600
    /// Device IDs that are not 20 digits are let in.
    package var allowNonStandardDeviceId = false
    /// Seconds between catalog queries of a device; 0 = only after it registers.
    package var catalogQueryInterval = 3_600
    /// A device that says nothing for this long is offline.
    package var keepaliveTimeoutSec = 180
    /// A session without media for this long ends.
    package var mediaTimeoutMs = 10_000
    /// How long an INVITE waits for the camera's answer.
    package var inviteTimeoutMs = 10_000
    package var sipRtpPortMin = 30_000
    package var sipRtpPortMax = 60_000
    /// All cameras' media on one port; 0 = a port a session.
    package var rtpSinglePort = 0
    /// The address in the SDP's `c=` line; empty = `local_sip_ip`.
    package var mediaIp = ""
    /// Folder of the provisioned devices' files; one that does not exist is empty.
    package var devicesDir = "./devices/"

    package init() {}

    /// The digest realm, and the domain in our URIs.
    package var domain: String { localSipDomain.isEmpty ? localSipId : localSipDomain }
}
