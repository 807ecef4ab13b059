import GRDB
import Recording
