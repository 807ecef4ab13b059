internal import GRDB

/// A file that was recorded or is being recorded: one row of the index.
package struct RecordingFile: Codable, Hashable, Sendable {
    package enum State: String, Codable, Hashable, Sendable {
        case writing
        /// Ended by the recorder.
        case complete
        /// Ended by a fault or a crash, and cut back to its last whole fragment.
        case interrupted
    }

    /// Of the index; 0 before it is there.
    package var id: Int64 = 0
    package var stream: String
    package var app: String
    package var format: RecordingFormat
    /// Relative to the folder of its format.
    package var path: String
    /// Unix milliseconds of its first and last frame, by this machine's clock.
    package var startMilliseconds: Int64
    package var endMilliseconds: Int64
    package var durationMilliseconds: Int64
    package var bytes: Int
    package var state: State
    /// Where its first and last key frames are, in milliseconds from its beginning; nil without pictures, or when not known.
    package var firstKeyMilliseconds: Int64?
    package var lastKeyMilliseconds: Int64?
    /// `H264,AAC`; empty when not known.
    package var codecs: String

    package init(
        stream: String,
        app: String,
        format: RecordingFormat,
        path: String,
        startMilliseconds: Int64,
        endMilliseconds: Int64,
        durationMilliseconds: Int64,
        bytes: Int,
        state: State,
        firstKeyMilliseconds: Int64? = nil,
        lastKeyMilliseconds: Int64? = nil,
        codecs: String = ""
    ) {
        self.stream = stream
        self.app = app
        self.format = format
        self.path = path
        self.startMilliseconds = startMilliseconds
        self.endMilliseconds = endMilliseconds
        self.durationMilliseconds = durationMilliseconds
        self.bytes = bytes
        self.state = state
        self.firstKeyMilliseconds = firstKeyMilliseconds
        self.lastKeyMilliseconds = lastKeyMilliseconds
        self.codecs = codecs
    }

    var key: RecordingFileKey { RecordingFileKey(format: format, path: path) }
}

/// What a file is known by before it has an id.
struct RecordingFileKey: Hashable, Sendable {
    var format: RecordingFormat
    var path: String
}

extension RecordingFile: FetchableRecord, TableRecord {
    static let databaseTableName = "recording_file"
}
