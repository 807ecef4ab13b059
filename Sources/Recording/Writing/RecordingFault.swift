internal import Glibc

/// Why nothing is recorded at the moment. The stream goes on.
package struct RecordingFault: Error, Hashable, Sendable {
    /// `create`, `write`, `close`, `removed`, ...
    package var action: String
    /// The file or folder.
    package var path: String
    /// The errno; 0 when there is none.
    package var code: CInt
    /// Unix milliseconds.
    package var since: Int64
    /// Tries that failed since then, this one included.
    package var attempts = 1

    package init(action: String, path: String, code: CInt, since: Int64) {
        self.action = action
        self.path = path
        self.code = code
        self.since = since
    }

    /// What the system says.
    package var reason: String {
        switch code {
        case 0: action == "removed" ? "the file was deleted while it was written" : action
        default: String(cString: strerror(code))
        }
    }

    /// What an operator can do.
    package var advice: String {
        switch code {
        case ENOSPC, EDQUOT: "free space, or set retention (max_total_mb, min_free_mb, retention_days)"
        case EACCES, EPERM, EROFS: "make the folder writable for the user that runs gbgate"
        case ENOTDIR, ELOOP: "something that is no folder stands in the way"
        case EMFILE, ENFILE: "raise the limit of open files, or record fewer streams"
        case EIO: "look at the disk and the kernel's log"
        case EFBIG: "set segment_size_mb below the largest file of this file system"
        case 0 where action == "removed": "leave files alone while they are written"
        default: "check the folder and its disk"
        }
    }

    /// One line for the log.
    package var description: String { "\(action) \(path): \(reason); \(advice). Tried again by itself" }

    var isNoSpace: Bool { code == ENOSPC || code == EDQUOT }
}

/// What is worth a line in the log.
package enum RecordingReport: Hashable, Sendable {
    /// Said once; it stands in the recording's state up to the recovery.
    case fault(stream: String, format: RecordingFormat, RecordingFault)
    case recovered(stream: String, format: RecordingFormat, RecordingFault, droppedFrames: Int, milliseconds: Int64)
    /// The disk is too slow: said once, up to `caughtUp`.
    case tooSlow(stream: String, format: RecordingFormat, queuedBytes: Int)
    case caughtUp(stream: String, format: RecordingFormat, droppedFrames: Int)
    /// Codecs that the format cannot carry.
    case omitted(stream: String, format: RecordingFormat, codecs: [String])
    /// A recording by rule that could not begin.
    case refused(stream: String, format: RecordingFormat, RecordingRefusal)
    /// The index cannot be written; recording goes on.
    case indexFault(String)
    case indexRecovered
    /// Files were deleted by the retention policy.
    case retention(RetentionResult)
}
