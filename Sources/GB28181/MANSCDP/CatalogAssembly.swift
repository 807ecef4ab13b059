package import NIOCore

/// Puts the parts of one catalog together (3.1): they come in any order, twice, or not at all. One instance serves one
/// query (device, SN). After `.partial` it goes on taking parts, so that a late one still completes the catalog.
package struct CatalogAssembly: Sendable {
    /// Idle time after which what is there is published.
    package static let idleLimit = TimeAmount.seconds(3)
    /// How long the first part may take. Field devices need up to some ten seconds after a restart.
    package static let firstPartLimit = TimeAmount.seconds(15)
    /// A city platform has 100,000 items; more than this is no catalog but an attack.
    package static let itemLimit = 200_000

    package enum Progress: Equatable, Sendable {
        /// More parts are due.
        case pending
        /// Nothing new for three seconds: list these, flagged incomplete. Nothing stored may be deleted for it.
        case partial(Catalog)
        /// All items that the device announced.
        case complete(Catalog)
        /// The assembly is over, incomplete; nil when no part came at all.
        case expired(Catalog?)
    }

    /// What has come so far, in the order of arrival.
    package struct Catalog: Equatable, Sendable {
        package var items: [CatalogItem]
        /// As the device announced it.
        package var sumNum: Int
        package var isComplete: Bool

        package init(items: [CatalogItem], sumNum: Int, isComplete: Bool) {
            self.items = items
            self.sumNum = sumNum
            self.isComplete = isComplete
        }
    }

    package let sn: Int
    package let deviceID: String
    /// Items that came more than once (retransmitted parts), and items beyond `itemLimit`.
    package private(set) var duplicates = 0
    package private(set) var dropped = 0
    /// Items of all parts so far.
    package var count: Int { items.count }
    /// How many the device says there are.
    package var announced: Int { sumNum }

    private var items: [CatalogItem] = []
    private var indices: [String: Int] = [:]
    private var sumNum = 0
    private var hasPart = false
    private var isOver = false
    private var publishedCount: Int?
    private let startedAt: NIODeadline
    private var progressedAt: NIODeadline

    package init(sn: Int, deviceID: String, now: NIODeadline) {
        self.sn = sn
        self.deviceID = deviceID
        startedAt = now
        progressedAt = now
    }

    /// A part arrived. The caller has matched SN and device already.
    package mutating func receive(_ part: CatalogPart, now: NIODeadline) -> Progress {
        hasPart = true
        // Devices that count wrongly still announce something: the largest number is the safe one to wait for.
        sumNum = max(sumNum, part.sumNum ?? part.items.count)
        var isNew = false
        for item in part.items {
            if let index = indices[item.deviceID] {
                duplicates += 1
                items[index] = item
            } else if items.count < Self.itemLimit {
                indices[item.deviceID] = items.count
                items.append(item)
                isNew = true
            } else {
                dropped += 1
            }
        }
        if isNew || part.items.isEmpty { progressedAt = now }
        // An item without a usable ID was announced too and never counts: such a catalog ends by the idle rule.
        guard items.count >= sumNum else { return .pending }
        isOver = true
        return .complete(catalog(isComplete: true))
    }

    /// Time passed: gives `.partial` or `.expired` when it is due.
    package mutating func advance(to now: NIODeadline) -> Progress {
        guard !isOver, let deadline, now >= deadline else { return .pending }
        if !hasPart || now >= absoluteDeadline {
            isOver = true
            return .expired(hasPart ? catalog(isComplete: false) : nil)
        }
        publishedCount = items.count
        return .partial(catalog(isComplete: false))
    }

    /// When to call `advance` next; nil once it is over.
    package var deadline: NIODeadline? {
        if isOver { return nil }
        guard hasPart else { return startedAt + Self.firstPartLimit }
        if publishedCount == items.count { return absoluteDeadline }
        return min(progressedAt + Self.idleLimit, absoluteDeadline)
    }

    /// 60 s, and more for catalogs so large that their messages alone take longer.
    private var absoluteDeadline: NIODeadline {
        startedAt + .milliseconds(max(60_000, 5_000 + 200 * Int64(min(sumNum, Self.itemLimit))))
    }

    private func catalog(isComplete: Bool) -> Catalog {
        Catalog(items: items, sumNum: sumNum, isComplete: isComplete)
    }
}
