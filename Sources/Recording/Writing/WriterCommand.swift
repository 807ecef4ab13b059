internal import NIOCore

/// What a recorder asks of its writer, in order.
enum WriterCommand: Sendable {
    case open(FileOpening)
    case append(FileChunk)
    case close(FileEnding)
    /// The file that is open is ended as it is.
    case closeAny
    /// Called when all before it is done.
    case barrier(@Sendable () -> Void)
}

struct FileOpening: Sendable {
    /// Counts the files of a recorder.
    var file: Int
    var name: RecordingFileName
    var startMilliseconds: Int64
    var codecs: String
    /// HLS: times or counters do not continue those of the segment before.
    var isDiscontinuous = false
}

/// Whole fragments.
struct FileChunk: Sendable {
    var file: Int
    var bytes: ByteBuffer
    var frames: Int
    var progress: FileProgress
}

struct FileEnding: Sendable {
    var file: Int
    var progress: FileProgress
}

/// What is in a file so far.
struct FileProgress: Hashable, Sendable {
    var durationMilliseconds: Int64 = 0
    /// Wall time of the newest frame.
    var endMilliseconds: Int64 = 0
    /// Where in the file, nil = none yet.
    var firstKeyMilliseconds: Int64?
    var lastKeyMilliseconds: Int64?
    var codecs = ""
}
