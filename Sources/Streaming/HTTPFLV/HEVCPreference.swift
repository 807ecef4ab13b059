package import Media

extension HTTPStreamRequest {
    /// What plays H.265 in FLV by the fourCC alone; older releases of it know no form at all.
    private static let enhancedAgents = ["Lavf/", "GStreamer", "VLC/", "libmpv", "mpv "]

    /// The form of H.265 for a player: what the URL asks for, else what its User-Agent is known to read, else codec id 12, which
    /// lal sends and browsers' FLV players expect.
    package func hevcFormat(userAgent: String) -> FLVHEVCFormat {
        if let asked = address.hevcFormat { return asked }
        return Self.enhancedAgents.contains { userAgent.hasPrefix($0) } ? .enhanced : .legacy
    }
}
