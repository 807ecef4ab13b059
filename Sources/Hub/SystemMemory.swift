import Glibc

/// What memory this process may use.
package enum SystemMemory {
    /// The machine's, or the limit of its control group when that is less; 0 when neither is known.
    package static let bytes: Int = {
        let pages = sysconf(Int32(_SC_PHYS_PAGES))
        let machine = pages > 0 ? pages.multipliedReportingOverflow(by: sysconf(Int32(_SC_PAGESIZE))).partialValue : 0
        guard let limit = controlGroupLimit, limit > 0 else { return machine }
        return machine > 0 ? min(machine, limit) : limit
    }()

    /// A container sees its own group at the root (control groups version 2).
    private static var controlGroupLimit: Int? {
        let file = open("/sys/fs/cgroup/memory.max", O_RDONLY)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var text = [UInt8](repeating: 0, count: 32)
        let count = read(file, &text, text.count)
        guard count > 0 else { return nil }
        return Int(String(decoding: text.prefix(count).prefix { $0 >= 0x30 && $0 <= 0x39 }, as: UTF8.self))
    }
}
