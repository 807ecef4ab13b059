/// What a recording is written as.
package enum RecordingFormat: String, Codable, Hashable, Sendable, CaseIterable {
    case flv
    /// One MPEG transport stream a file.
    case ts
    /// Fragmented MP4 (ISO/IEC 14496-12), a fragment a GOP or second.
    case fmp4
    /// A folder a stream: segments of MPEG transport stream and `record.m3u8`.
    case hls

    /// Of its media files, without the dot.
    package var fileExtension: String {
        switch self {
        case .flv: "flv"
        case .ts, .hls: "ts"
        case .fmp4: "mp4"
        }
    }

    /// The Content-Type of its media files.
    package var contentType: String {
        switch self {
        case .flv: "video/x-flv"
        case .ts, .hls: "video/mp2t"
        case .fmp4: "video/mp4"
        }
    }
}
