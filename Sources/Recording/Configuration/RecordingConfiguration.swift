package import Media

/// How one recording is cut into files.
package struct RecordingOptions: Codable, Hashable, Sendable {
    /// A file is ended at the first key frame after so many seconds (`segment_duration_sec`); 0 = never. Of HLS it is the
    /// length of a segment, and 0 means six seconds.
    package var segmentSeconds = 0
    /// A file is ended at the first key frame after so many megabytes (`segment_size_mb`, 2^20 bytes); 0 = never.
    package var segmentMegabytes = 0
    /// Times are the stream's own and do not begin at 0 in each file, and an FLV file begins with the first message: lal's
    /// `record.enable_flv`. Of FLV and TS.
    package var keepsTimes = false

    package init() {}

    package init(segmentSeconds: Int = 0, segmentMegabytes: Int = 0, keepsTimes: Bool = false) {
        self.segmentSeconds = segmentSeconds
        self.segmentMegabytes = segmentMegabytes
        self.keepsTimes = keepsTimes
    }
}

/// Streams that are recorded without anybody asking.
package struct RecordingRule: Codable, Hashable, Sendable {
    package var format: RecordingFormat
    package var options: RecordingOptions
    /// Names of streams, or their beginnings with a `*` behind. Empty = all.
    package var streams: [String]

    package init(format: RecordingFormat, options: RecordingOptions = RecordingOptions(), streams: [String] = []) {
        self.format = format
        self.options = options
        self.streams = streams
    }

    func applies(to stream: String) -> Bool {
        streams.isEmpty
            || streams.contains { pattern in
                pattern.hasSuffix("*") ? stream.hasPrefix(pattern.dropLast()) : stream == pattern
            }
    }
}

/// When files are deleted, the oldest first. 0 = not for that reason.
package struct RetentionPolicy: Codable, Hashable, Sendable {
    /// Files that ended so long ago (`retention_days`).
    package var maximumAgeSeconds = 0
    /// All files together, in 2^20 bytes (`max_total_mb`).
    package var maximumTotalMegabytes = 0
    /// What is to stay free on each disk that is recorded to, in 2^20 bytes (`min_free_mb`).
    package var minimumFreeMegabytes = 0
    /// Between two looks.
    package var intervalSeconds = 60

    package init() {}

    var isActive: Bool { maximumAgeSeconds > 0 || maximumTotalMegabytes > 0 || minimumFreeMegabytes > 0 }
}

/// Where the files of each format are put. Relative to the working folder, as lal's `flv_out_path` and the others.
package struct RecordingFolders: Codable, Hashable, Sendable {
    package var flv = "./lal_record/flv"
    package var ts = "./lal_record/mpegts"
    package var fmp4 = "./lal_record/mp4"
    /// Each stream has a folder below it.
    package var hls = "./lal_record/hls"

    package init() {}

    /// All below one root.
    package init(root: String) {
        flv = root + "/flv"
        ts = root + "/mpegts"
        fmp4 = root + "/mp4"
        hls = root + "/hls"
    }

    package subscript(format: RecordingFormat) -> String {
        switch format {
        case .flv: flv
        case .ts: ts
        case .fmp4: fmp4
        case .hls: hls
        }
    }
}

/// Everything about recording that an operator may set.
package struct RecordingConfiguration: Hashable, Sendable {
    package var folders = RecordingFolders()
    /// Begun with each publication of a stream, and ended with it.
    package var rules: [RecordingRule] = []
    package var retention = RetentionPolicy()
    /// Recordings at the same time, those that wait for their stream included.
    package var maximumRecordings = 1_024
    /// Files that are open at the same time.
    package var maximumOpenFiles = 1_024
    /// Bytes of one recording that wait for the disk. What comes on top is dropped up to the next key frame, and counted.
    package var queueBytes = 8 << 20
    /// Of all recordings together.
    package var totalQueueBytes = 512 << 20
    /// How H.265 and Opus are written in FLV files: `.legacy` is lal's.
    package var flvForm = FLVHEVCFormat.enhanced
    /// Entries of a `record.m3u8`; then it is put aside as `record-<unix_sec>.m3u8` and begun anew.
    package var playlistEntries = 5_000
    /// How often the index learns of a file that grows.
    package var indexMilliseconds = 3_000
    /// Threads that may wait for disks.
    package var threads = 4

    package init() {}
}
