/// `ctrl/start_record`: record a stream until `ctrl/stop_record`, over its publications. It need not be published yet.
package struct StartRecordRequest: Hashable, Sendable {
    package var streamName: String
    /// `flv`, `ts`, `fmp4` or `hls`.
    package var format: String
    /// A file is ended at the first key frame after so many seconds; 0: never.
    package var segmentDurationSec: Int
    /// … or megabytes.
    package var segmentSizeMb: Int

    package init(streamName: String, format: String, segmentDurationSec: Int = 0, segmentSizeMb: Int = 0) {
        self.streamName = streamName
        self.format = format
        self.segmentDurationSec = segmentDurationSec
        self.segmentSizeMb = segmentSizeMb
    }
}

/// The `data` of `ctrl/start_record` and `ctrl/stop_record`.
package struct RecordTask: Codable, Hashable, Sendable {
    package var streamName: String
    package var recordID: Int

    package init(streamName: String, recordID: Int) {
        self.streamName = streamName
        self.recordID = recordID
    }

    private enum CodingKeys: String, CodingKey {
        case streamName = "stream_name"
        case recordID = "record_id"
    }
}

/// A recording that is under way, in `stat/records`.
package struct RecordStat: Codable, Hashable, Sendable {
    package var recordID: Int
    package var streamName: String
    package var format: String
    /// `waiting` for a publisher, `recording`, `fault`, `ending`.
    package var state: String
    /// By the configuration, not by a call.
    package var automatic: Bool
    package var startTime: String
    /// The file that is written; empty when there is none.
    package var file: String
    package var files: Int
    package var wroteBytes: Int
    /// What waits for the disk.
    package var queuedBytes: Int
    /// Lost to a disk that is slow or refuses.
    package var droppedFrames: Int
    package var droppedBytes: Int
    /// Codecs that the format cannot carry.
    package var omitted: [String]
    /// What goes wrong with the disk, and what to do; empty while nothing does.
    package var fault: String

    package init(
        recordID: Int,
        streamName: String,
        format: String,
        state: String,
        automatic: Bool,
        startTime: String,
        file: String,
        files: Int,
        wroteBytes: Int,
        queuedBytes: Int,
        droppedFrames: Int,
        droppedBytes: Int,
        omitted: [String],
        fault: String
    ) {
        self.recordID = recordID
        self.streamName = streamName
        self.format = format
        self.state = state
        self.automatic = automatic
        self.startTime = startTime
        self.file = file
        self.files = files
        self.wroteBytes = wroteBytes
        self.queuedBytes = queuedBytes
        self.droppedFrames = droppedFrames
        self.droppedBytes = droppedBytes
        self.omitted = omitted
        self.fault = fault
    }

    private enum CodingKeys: String, CodingKey {
        case recordID = "record_id"
        case streamName = "stream_name"
        case format, state, automatic
        case startTime = "start_time"
        case file, files
        case wroteBytes = "wrote_bytes"
        case queuedBytes = "queued_bytes"
        case droppedFrames = "dropped_frames"
        case droppedBytes = "dropped_bytes"
        case omitted, fault
    }
}

package struct RecordStats: Codable, Hashable, Sendable {
    package var records: [RecordStat]

    package init(records: [RecordStat]) {
        self.records = records
    }
}

/// `stat/record_files`: what was recorded of a stream, or of all, in a time.
package struct RecordFilesRequest: Hashable, Sendable {
    /// Empty: of all.
    package var streamName: String
    /// Unix milliseconds; nil: from the first, to the last.
    package var from: Int64?
    package var to: Int64?
    package var limit: Int
    package var offset: Int

    package init(streamName: String = "", from: Int64? = nil, to: Int64? = nil, limit: Int = 100, offset: Int = 0) {
        self.streamName = streamName
        self.from = from
        self.to = to
        self.limit = limit
        self.offset = offset
    }
}

/// One recorded file.
package struct RecordFileStat: Codable, Hashable, Sendable {
    package var id: Int64
    package var streamName: String
    package var format: String
    /// In the folder of its format.
    package var path: String
    /// Unix milliseconds.
    package var startMs: Int64
    package var endMs: Int64
    package var durationMs: Int64
    package var bytes: Int
    /// `writing`, `complete`, or `interrupted` by a fault or a crash.
    package var state: String
    /// `H264,AAC`.
    package var codecs: String
    /// Where it can be fetched, with ranges.
    package var url: String

    package init(
        id: Int64,
        streamName: String,
        format: String,
        path: String,
        startMs: Int64,
        endMs: Int64,
        durationMs: Int64,
        bytes: Int,
        state: String,
        codecs: String,
        url: String
    ) {
        self.id = id
        self.streamName = streamName
        self.format = format
        self.path = path
        self.startMs = startMs
        self.endMs = endMs
        self.durationMs = durationMs
        self.bytes = bytes
        self.state = state
        self.codecs = codecs
        self.url = url
    }

    private enum CodingKeys: String, CodingKey {
        case id
        case streamName = "stream_name"
        case format, path
        case startMs = "start_ms"
        case endMs = "end_ms"
        case durationMs = "duration_ms"
        case bytes, state, codecs, url
    }
}

package struct RecordFiles: Codable, Hashable, Sendable {
    package var files: [RecordFileStat]
    /// Of all pages.
    package var total: Int

    package init(files: [RecordFileStat], total: Int) {
        self.files = files
        self.total = total
    }
}

/// A file or a picture that the API serves as it is.
package struct ControlDownload: Hashable, Sendable {
    package enum Body: Hashable, Sendable {
        /// A regular file that may grow; so many bytes of it now.
        case file(path: String, size: Int)
        case bytes([UInt8])
    }

    package var body: Body
    package var contentType: String
    /// What to call it.
    package var name: String

    package init(body: Body, contentType: String, name: String) {
        self.body = body
        self.contentType = contentType
        self.name = name
    }
}
